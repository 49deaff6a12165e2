import { rowIdParts } from "../../core/index.ts"
import type { StateRow } from "../../core/ports/store.ts"
import { methodCodes } from "../../formats/dicom/profile.ts"
import type { ProfileOption } from "../../formats/dicom/index.ts"
import type { InstanceRow, PartRow, StudyRow } from "../../transforms/deidentify/dicom-rows.ts"
import { partUids } from "../../transforms/deidentify/dicom-rows.ts"
import type { Applied, ImageReport } from "./model.ts"

/** What is known of an instance in the state of a deidentify-dicom stage. */
export interface KnownInstance {
  /** Original UIDs. */
  readonly sop: string
  readonly row: InstanceRow
  readonly part: PartRow | undefined
}

/** What is known of a person there. */
export interface KnownPerson {
  readonly instances: readonly KnownInstance[]
  /** By original Study Instance UID. */
  readonly studies: ReadonlyMap<string, StudyRow>
}

/** The rows of a deidentify-dicom stage person by person; rows come in order of keys. */
export async function* persons(rows: AsyncIterable<StateRow>): AsyncGenerator<KnownPerson> {
  let current: string | undefined
  let gathered: StateRow[] = []
  for await (const row of rows) {
    if (row[0] !== current && gathered.length > 0) {
      yield personOf(gathered)
      gathered = []
    }
    current = row[0]
    gathered.push(row)
  }
  if (gathered.length > 0) yield personOf(gathered)
}

const nameIn = (sort: string): string => decodeURIComponent(sort.slice(2))

function personOf(rows: readonly StateRow[]): KnownPerson {
  const own = rows.filter(([key]) => !key.startsWith("~"))
  const of = <T>(kind: string) =>
    own.filter(([, sort]) => sort.startsWith(kind)).map(([, sort, value]) => [sort, JSON.parse(value) as T] as const)
  const parts = new Map(of<PartRow>("p/").map(([sort, part]) => [partUids(sort).sop, part]))
  return {
    instances: of<InstanceRow>("i/").map(([sort, row]) => {
      const sop = nameIn(sort)
      return { sop, row, part: parts.get(sop) }
    }),
    studies: new Map(of<StudyRow>("t/").map(([sort, row]) => [nameIn(sort), row])),
  }
}

/** The pseudonym of a study: the UID that it has below; undefined while nothing of it was told there. */
export const studyPseudonym = ({ out }: StudyRow): string | undefined =>
  out === undefined ? undefined : rowIdParts(out.id)[0]

const add = (counts: Map<string, number>, name: string, number = 1) =>
  counts.set(name, (counts.get(name) ?? 0) + number)

/** Counts as an object, in order of names. */
export const sorted = (counts: ReadonlyMap<string, number>): Record<string, number> =>
  Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)))

/** Sums what stands of instances. */
export class ImageTally {
  #released = 0
  #refused = 0
  #waiting = 0
  #takenBack = 0
  #uncounted = 0
  readonly #actions = new Map<string, number>()
  readonly #refusals = new Map<string, number>()
  readonly #applied = new Map<string, number>()

  add({ row: { out, stated, waits, verdict }, part }: Pick<KnownInstance, "row" | "part">): void {
    // A new version that waits stands as the old one until it is decided on.
    if (waits === true) this.#waiting++
    if (out?.op === "upsert") this.#release(verdict)
    else if (out !== undefined) this.#takenBack++
    if (stated === undefined || waits === true || out?.op === "upsert") return
    this.#refused++
    add(this.#refusals, verdict?.refused?.reason ?? part?.ended?.refused ?? "not-decided")
  }

  #release(verdict: InstanceRow["verdict"]): void {
    const { released, made } = verdict ?? {}
    this.#released++
    if (made === undefined) this.#uncounted++
    for (const [action, number] of Object.entries(made?.counts ?? {})) add(this.#actions, action, number)
    add(this.#applied, JSON.stringify([released?.profile ?? "", made?.tool ?? "", made?.key ?? ""]))
  }

  report(): ImageReport {
    return {
      released: this.#released,
      refused: this.#refused,
      waiting: this.#waiting,
      takenBack: this.#takenBack,
      applied: [...this.#applied].sort(([a], [b]) => (a < b ? -1 : 1)).map(appliedOf),
      actions: sorted(this.#actions),
      uncounted: this.#uncounted,
      refusals: sorted(this.#refusals),
    }
  }
}

function appliedOf([said, instances]: readonly [string, number]): Applied {
  const [profile, tool, keyId] = JSON.parse(said) as [string, string, string]
  const [base = "", ...words] = profile.split(" ")
  const options = words.filter((word) => word !== "faces-allowed")
  const named = base === "" ? [] : ["basic", ...options]
  return {
    tool,
    keyId,
    standard: "PS3.15 Annex E",
    edition: /^weir-ps3\.15-(.+)-basic$/.exec(base)?.[1] ?? "",
    codes: named.flatMap((option) => {
      const found = methodCodes.get(option as ProfileOption | "basic")
      return found === undefined ? [] : [{ code: found[0], meaning: found[1] }]
    }),
    options,
    facesAllowed: words.includes("faces-allowed"),
    instances,
  }
}
