import { typeOf } from "./types.ts"

/** Why a reader with one schema cannot read what was written with another (Avro 1.12, Schema Resolution); empty when it can. */
export function compatible(reader: unknown, writer: unknown): readonly string[] {
  try {
    typeOf(reader).createResolver(typeOf(writer))
    return []
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)]
  }
}
