import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { gunzipSync } from "node:zlib"
import type { OracleResource } from "./index.ts"

const folder = join(process.env["WEIR_TEST_DATA"] ?? "../shared/data", "fhir/synthea-r4")

/** Whether the Synthea patients of the test data are there. */
export const syntheaAbsent = !existsSync(folder)

interface Referring {
  readonly resourceType: string
  readonly id: string
  readonly subject?: { readonly reference: string }
  readonly patient?: { readonly reference: string }
}

/** All resources that name a patient, in the order of files and lines; they state no version, so the line is it. */
export function syntheaResources(): readonly OracleResource[] {
  const found: OracleResource[] = []
  for (const file of readdirSync(folder)
    .filter((name) => name.endsWith(".ndjson.gz"))
    .sort()) {
    const lines = gunzipSync(readFileSync(join(folder, file)))
      .toString("utf8")
      .split("\n")
    for (const [line, body] of lines.entries()) {
      if (body === "") continue
      const resource = JSON.parse(body) as Referring
      const person = (resource.subject ?? resource.patient)?.reference
      if (person !== undefined)
        found.push({ person, type: resource.resourceType, id: resource.id, version: BigInt(line + 1), body })
    }
  }
  return found
}
