import type { Report } from "./finding.ts"
import { everyElement } from "./reader.ts"
import type { Element } from "./reader.ts"
import { optionColumns } from "./standard.ts"
import { valueAt } from "./pair.ts"
import type { Pair } from "./pair.ts"
import { canonical, isText } from "./text.ts"

/** Codes in De-identification Method Code Sequence. */
function codesOf(elements: ReadonlyMap<string, Element>): readonly string[] {
  const items = elements.get("00120064")?.items ?? []
  return items.map((_, at) => valueAt(elements, `00120064[${at}].00080100`))
}

/** Grades what an output says of itself (PS3.15 E.1.1, E.2, E.3). */
export function gradeMarkers({ before, after, asked }: Pair, report: Report): void {
  if (valueAt(after, "00120062") !== "YES") report("markers", "00120062", "not-YES")
  const codes = codesOf(after)
  if (valueAt(after, "00120063") === "" && codes.length === 0) report("markers", "00120063", "no-method")
  const wanted = ["113100", ...asked.names.map((name) => optionColumns[name]![1])]
  for (const code of wanted) if (!codes.includes(code)) report("markers", "00120064", `missing-${code}`)
  const known = new Set([...wanted, ...codesOf(before)])
  // Pixels and faces are cleaned by what the data need, not only by what is asked.
  for (const code of codes)
    if (!known.has(code) && !["113101", "113102"].includes(code)) report("markers", "00120064", `unasked-${code}`)
  const dates = asked.has("retain-longitudinal-full-dates")
    ? "UNMODIFIED"
    : asked.has("retain-longitudinal-modified-dates")
      ? "MODIFIED"
      : "REMOVED"
  if (valueAt(after, "00280303") !== dates) report("markers", "00280303", `not-${dates}`)
  if (valueAt(after, "00280301") === "NO" && valueAt(before, "00280301") === "YES" && !codes.includes("113101"))
    report("markers", "00280301", "claimed-without-113101")
  const faces = valueAt(after, "00280302")
  if (faces === "NO" && valueAt(before, "00280302") !== "NO" && !codes.includes("113102"))
    report("markers", "00280302", "claimed-without-113102")
}

const metaElements = new Set([0x00020000, 0x00020001, 0x00020002, 0x00020003, 0x00020010, 0x00020012, 0x00020013])

/** Grades the file around the data set: preamble, file meta renewed, nothing that does not belong. */
export function gradeFile({ input, output, before, after }: Pair, report: Report): void {
  const { preamble, meta, faults } = output
  if (preamble === undefined) report("file", "preamble", "missing")
  else if (preamble.some((byte) => byte !== 0)) report("file", "preamble", "not-zero", preamble)
  for (const { tag, path, value } of meta) if (!metaElements.has(tag)) report("file", path, "meta-not-renewed", value)
  for (const tag of [0x00020002, 0x00020003, 0x00020010, 0x00020012])
    if (!meta.some((element) => element.tag === tag && element.value.length > 0))
      report("file", tag.toString(16).padStart(8, "0"), "meta-missing")
  for (const path of ["00020012", "00020013"]) {
    const old = valueAt(before, path)
    if (old !== "" && old === valueAt(after, path)) report("file", path, "meta-not-renewed", old)
  }
  const length = meta.find(({ tag }) => tag === 0x00020000)
  const stated = length?.value.length === 4 ? length.value.readUInt32LE(0) : -1
  const last = meta.at(-1)
  if (length === undefined || last === undefined || length.to + stated !== last.to)
    report("file", "00020000", "wrong-group-length")
  for (const { code, path } of faults) report("file", path, code)
  // Bytes after the value of a text, behind its NUL, are no padding.
  for (const element of everyElement(output.data))
    if (
      isText(element) &&
      /\0[^\0 ]/.test(element.value.toString("latin1")) &&
      element.vr !== "UN" &&
      element.vr !== "OB"
    )
      report("file", element.path, "bytes-after-nul", element.value)
  if (input.bytes.equals(output.bytes)) report("file", "end", "nothing-changed")
}

/** Grades private elements: none, or with the option those of the lists, with their creator. */
export function gradePrivate({ after, asked, standard }: Pair, report: Report): void {
  for (const [path, { tag, creator, value }] of after) {
    const group = tag >>> 16
    if (group % 2 === 0 || (group === 2 && path.length === 8)) continue
    const within = tag % 0x10000
    if (!asked.has("retain-safe-private")) report("private", path, "private", value)
    else if (within >= 0x10 && within <= 0xff) {
      const block = tag - within + within * 0x100
      const used = [...after.values()].some((each) => each.tag >= block && each.tag < block + 0x100)
      if (!used) report("private", path, "creator-of-nothing", value)
    } else if (creator === "") report("private", path, "without-creator", value)
    else if (!standard.isSafePrivate(creator, tag)) report("private", path, "not-on-a-list", value)
  }
}

const pixelTags = [0x7fe00010, 0x7fe00008, 0x7fe00009]

/** Grades pixel data: the same bytes, unless the output says that they were cleaned. */
export function gradePixels({ before, after, input, output }: Pair, report: Report): void {
  const cleaned = codesOf(after).some((code) => code === "113101" || code === "113102")
  for (const [path, old] of before) {
    if (!pixelTags.includes(old.tag)) continue
    const made = after.get(path)
    // A whole icon may go with its sequence.
    if (made === undefined && path.includes(".")) continue
    if (made === undefined) report("pixels", path, "absent")
    else if (!samePixels(old, made) && !cleaned) report("pixels", path, "changed")
  }
  if (input.transferSyntax !== output.transferSyntax && input.data.some(({ fragments }) => fragments) && !cleaned)
    report("pixels", "00020010", "transcoded", output.transferSyntax)
}

function samePixels(before: Element, after: Element): boolean {
  if (before.fragments !== undefined || after.fragments !== undefined) {
    const [old, made] = [before.fragments ?? [], after.fragments ?? []]
    return old.length === made.length && old.every((fragment, at) => fragment.equals(made[at]!))
  }
  const [old, made] = [canonical(before, wordly(before)), canonical(after, wordly(after))]
  // A pad byte for an odd length.
  return (
    old.equals(made) ||
    (made.length === old.length + 1 && made.subarray(0, old.length).equals(old) && made.at(-1) === 0)
  )
}

const wordly = ({ vr }: Element): string => (vr === "OB" || vr === "UN" ? "OB" : vr)
