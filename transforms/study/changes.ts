import { rowIdParts } from "../../core/index.ts"
import type { DicomInstance, In, Out, State, Timer } from "../../core/index.ts"
import type { inputs, outputs } from "./index.ts"
import type { Held } from "./instance.ts"
import { hashOf, heldSort } from "./rows.ts"

type Input = In<typeof inputs>
type Output = Out<Input | Timer, Input, typeof outputs>

/** A record that is newer than what is known of its instance. */
export interface Change {
  readonly record: Input
  readonly sop: string
  readonly held: Held | undefined
  /** undefined: the instance left. */
  readonly value: DicomInstance | undefined
  readonly hash: string
}

const isInstance = (record: Input): boolean =>
  rowIdParts(record.id)[0] === "instance" && (record.op === "retract" || record.value?.instance != null)

/** The newest record of each instance in the batch; all others end here. */
function newestOf(batch: readonly Input[], out: Output): readonly Input[] {
  const newest = new Map<string, Input>()
  for (const record of batch) {
    if (!isInstance(record)) {
      out.drop(record, "not-read")
      continue
    }
    const slot = `${record.key} ${record.id}`
    const rival = newest.get(slot)
    if (rival !== undefined && record.version <= rival.version) {
      out.drop(record, record.version === rival.version ? "duplicate" : "older-version")
      continue
    }
    if (rival !== undefined) out.drop(rival, "older-version")
    newest.set(slot, record)
  }
  return [...newest.values()]
}

/** The records of a batch that are newer than what is known, one an instance; all others end here. */
export async function readChanges(batch: readonly Input[], out: Output, state: State): Promise<readonly Change[]> {
  const records = newestOf(batch, out)
  const sops = records.map(({ id }) => rowIdParts(id)[2] ?? "")
  const found = await state.get<Held>(records.map(({ key }, at) => [key, heldSort(sops[at]!)]))
  return records.flatMap((record, at): readonly Change[] => {
    const held = found[at]
    const known = held === undefined ? -1n : BigInt(held.version)
    if (record.version <= known) {
      out.drop(record, record.version === known ? "duplicate" : "older-version")
      return []
    }
    const value = record.op === "upsert" ? (record.value!.instance as DicomInstance) : undefined
    return [{ record, sop: sops[at]!, held, value, hash: value === undefined ? "" : hashOf([value, record.time]) }]
  })
}
