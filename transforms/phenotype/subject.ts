import type { Row } from "../../core/index.ts"
import type { Definition } from "./definition.ts"
import type { StoredStudy } from "./stored.ts"

/** A study as all its sources together have it. */
export interface Subject {
  readonly uid: string
  readonly from: number | null
  readonly last: number | null
  readonly modalities: ReadonlySet<string>
  readonly bodyParts: ReadonlySet<string>
  readonly accessions: ReadonlySet<string>
  readonly encounters: ReadonlySet<string>
  readonly imagingStudies: ReadonlySet<string>
  /** What it was merged from, in the order of their rows. */
  readonly sources: readonly StoredStudy[]
}

/** Acquisition says best when a study started; of several resources the most exact one. */
function start(sources: readonly StoredStudy[]): Pick<Subject, "from" | "last"> {
  const timed = sources.filter(({ from }) => from !== null)
  const width = ({ from, last }: StoredStudy) => last! - from!
  const best = timed.toSorted((a, b) => width(a) - width(b) || a.from! - b.from!)
  const { from, last } = timed.find(({ id }) => id === undefined) ?? best[0] ?? { from: null, last: null }
  return { from, last }
}

const union = (lists: readonly (readonly string[])[]): ReadonlySet<string> => new Set(lists.flat())

/** The studies of a person: assembled ones and FHIR ImagingStudy resources of the same UID are one study. */
export function subjects(rows: readonly Row[]): ReadonlyMap<string, Subject> {
  const byUid = new Map<string, StoredStudy[]>()
  for (const [, value] of rows) {
    const stored = value as StoredStudy
    const known = byUid.get(stored.uid)
    if (known === undefined) byUid.set(stored.uid, [stored])
    else known.push(stored)
  }
  return new Map([...byUid].map(([uid, sources]) => [uid, merged(uid, sources)]))
}

const merged = (uid: string, sources: readonly StoredStudy[]): Subject => ({
  uid,
  ...start(sources),
  modalities: union(sources.map(({ modalities }) => modalities)),
  bodyParts: union(sources.map(({ bodyParts }) => bodyParts)),
  accessions: union(sources.map(({ accessions }) => accessions)),
  encounters: union(sources.map(({ encounter }) => (encounter === undefined ? [] : [encounter]))),
  imagingStudies: union(sources.map(({ id }) => (id === undefined ? [] : [id]))),
  sources,
})

const meets = (wanted: readonly string[], has: ReadonlySet<string>): boolean =>
  wanted.length === 0 || wanted.some((one) => has.has(one))

/** Whether a definition labels this study at all. */
export const labels = ({ modality, bodyPart }: Definition, subject: Subject): boolean =>
  meets(modality, subject.modalities) && meets(bodyPart, subject.bodyParts)
