import type { Report } from "./finding.ts"
import { everyElement } from "./reader.ts"
import type { DicomFile, Element } from "./reader.ts"
import type { Asked } from "./rules.ts"
import type { Standard } from "./standard.ts"
import { searchExact } from "./search.ts"
import { textOf, valuesOf } from "./text.ts"
import { isInDummy, valueAt } from "./pair.ts"
import type { Pair } from "./pair.ts"

const registered = "1.2.840.10008."
const form = /^(0|[1-9]\d*)(\.(0|[1-9]\d*))+$/

/** Whether an element's UIDs are those of instances and their relatives: in Table E.1-1, file meta's own, or private. */
function isSource(element: Element, asked: Asked, standard: Standard): boolean {
  if (element.vr !== "UI") return false
  if (element.tag >>> 16 === 2) return element.tag === 0x00020003 && !asked.has("retain-uids")
  const row = standard.rowOf(element.tag)
  return row === undefined ? (element.tag >>> 16) % 2 === 1 : asked.of(row) === undefined
}

/** Original UIDs of an input that no output may have. */
export function originalUids(file: DicomFile, asked: Asked, standard: Standard): ReadonlySet<string> {
  const uids = new Set<string>()
  for (const element of everyElement([...file.meta, ...file.data])) {
    const isPrivateText = (element.tag >>> 16) % 2 === 1 && element.items === undefined && element.value.length <= 64
    if (!isSource(element, asked, standard) && !isPrivateText) continue
    for (const uid of valuesOf(element))
      if (form.test(uid) && uid.split(".").length >= 4 && uid.length >= 10 && !uid.startsWith(registered)) uids.add(uid)
  }
  for (const element of everyElement(file.data))
    // What the profile keeps elsewhere is no secret of this place.
    if (element.vr === "UI" && (element.tag >>> 16) % 2 === 0 && !isSource(element, asked, standard))
      for (const uid of valuesOf(element)) uids.delete(uid)
  return uids
}

/** UIDs over the whole folder: each original has one new UID, and each new one one original. */
export class UidMapping {
  readonly #forward = new Map<string, string>()
  readonly #backward = new Map<string, string>()
  readonly #originals = new Set<string>()
  readonly #kept = new Set<string>()

  /** Takes the originals of one pair, and what the profile keeps of it. */
  addOriginals({ before, asked, standard }: Pair, uids: ReadonlySet<string>): void {
    for (const uid of uids) this.#originals.add(uid)
    for (const element of before.values())
      if (element.vr === "UI" && (element.tag >>> 16) % 2 === 0 && !isSource(element, asked, standard))
        for (const uid of valuesOf(element)) this.#kept.add(uid)
  }

  /** Grades one pair; all originals have to be known by then. */
  grade(pair: Pair, own: ReadonlySet<string>, report: Report): void {
    const told = new Set<string>()
    searchExact(pair.output, [...own], /[\d.]/, (uid, element, place) => {
      const path = element?.path ?? place
      if (!told.has(path)) report("uids", path, "original-uid", uid)
      told.add(path)
    })
    for (const uid of own) if (pair.outputName.includes(uid)) report("uids", "name", "original-uid", uid)
    for (const [path, element] of pair.after) {
      if (element.vr !== "UI") continue
      for (const uid of valuesOf(element)) {
        if (this.#originals.has(uid) && !this.#kept.has(uid) && !told.has(path))
          report("uids", path, "original-uid-of-another-file", uid)
        const invalid = uid !== "" && (!form.test(uid) || uid.length > 64)
        const kept = this.#kept.has(uid) && (element.tag >>> 16 === 2 || !isSource(element, pair.asked, pair.standard))
        if (invalid && !kept) report("uid-mapping", path, "invalid-uid", uid)
      }
    }
    this.#pairs(pair, report)
    const agree = (what: string, meta: string, data: string) => {
      if (valueAt(pair.after, meta) !== valueAt(pair.after, data)) report("uid-mapping", meta, what)
    }
    agree("meta-sop-class-differs", "00020002", "00080016")
    agree("meta-sop-instance-differs", "00020003", "00080018")
  }

  #pairs(pair: Pair, report: Report): void {
    for (const [path, before] of pair.before) {
      const after = pair.after.get(path)
      if (after === undefined || !isSource(before, pair.asked, pair.standard) || (before.tag >>> 16) % 2 === 1) continue
      // File meta follows the data set, also where it did not in the original.
      if (before.tag >>> 16 === 2 || isInDummy(path, pair)) continue
      const [old, made] = [valuesOf(before), valuesOf(after)]
      if (textOf(after) === "" || textOf(before) === "") continue
      if (old.length !== made.length) report("uid-mapping", path, "number-of-values")
      for (const [at, uid] of old.entries()) {
        const now = made[at] ?? ""
        if (uid.startsWith(registered)) {
          if (now !== uid) report("uid-mapping", path, "registered-uid-changed", uid)
          continue
        }
        if (uid === "") continue
        if ((this.#forward.get(uid) ?? now) !== now) report("uid-mapping", path, "uid-mapped-to-two", uid)
        if ((this.#backward.get(now) ?? uid) !== uid) report("uid-mapping", path, "two-uids-mapped-to-one", uid)
        this.#forward.set(uid, now)
        this.#backward.set(now, uid)
      }
    }
  }
}
