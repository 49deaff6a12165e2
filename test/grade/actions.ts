import type { Report } from "./finding.ts"
import type { DataSet, Element } from "./reader.ts"
import { actionsFor } from "./rules.ts"
import type { Action } from "./rules.ts"
import { describesPixels, mayReplaceText, pixelsCleaned } from "./cleaned.ts"
import { dayOf, isPlaceholder } from "./dates.ts"
import type { Pair } from "./pair.ts"
import { canonical, textOf, valuesOf } from "./text.ts"

/** What the de-identifier itself writes: PS3.15 E.1.1, and Recognizable Visual Features and Burned In Annotation. */
const markers = new Set([0x00120062, 0x00120063, 0x00120064, 0x00280301, 0x00280302, 0x00280303])
const charset = 0x00080005
const isGroupLength = (tag: number): boolean => tag % 0x10000 === 0
const isPrivate = (tag: number): boolean => (tag >>> 16) % 2 === 1
const isPixels = (tag: number): boolean => tag >>> 16 === 0x7fe0
/** Group of an overlay or curve plane, which goes as a whole; else 0. */
const planeOf = (tag: number): number =>
  [0x5000, 0x6000].includes((tag >>> 16) & 0xff00) && tag >>> 16 < 0x6020 ? tag >>> 16 : 0

/** Whether two elements say the same: by bytes, or by text where the character set is another one. */
export function isSame(before: Element, after: Element): boolean {
  const vr = before.vr === "UN" ? after.vr : before.vr
  if (canonical(before, vr).equals(canonical(after, vr))) return true
  return before.charset.join() !== after.charset.join() && textOf(before) === textOf(after)
}

/** What became of one element, as the letter of the action that it would fit. */
function outcome(before: Element, after: Element | undefined): "absent" | "empty" | "same" | "changed" {
  if (after === undefined) return "absent"
  if (after.items !== undefined ? after.items.length === 0 : textless(after)) return "empty"
  return isSame(before, after) ? "same" : "changed"
}

const textless = (element: Element): boolean => element.value.length === 0 && (element.fragments ?? []).length === 0

const allowed: Readonly<Record<Action, readonly ReturnType<typeof outcome>[]>> = {
  X: ["absent"],
  Z: ["empty", "changed"],
  D: ["changed"],
  U: ["changed"],
  K: ["same"],
  C: ["absent", "empty", "changed", "same"],
}

const registered = (element: Element): boolean =>
  element.vr === "UI" && valuesOf(element).every((uid) => uid.startsWith("1.2.840.10008."))

/** Whether an outcome fits an action; an empty attribute has nothing to replace, a well-known UID stays. */
function fits(action: Action, became: ReturnType<typeof outcome>, before: Element): boolean {
  if (allowed[action].includes(became)) return true
  if (before.items === undefined && textless(before)) return became !== "absent" || action === "X"
  if (before.items?.length === 0) return became === "empty" || became === "same"
  if (action === "U") return registered(before) && became === "same"
  // An age above 89 identifies (45 CFR 164.514(b)(2)(i)(C)).
  if (action === "K" && before.vr === "AS" && Number(textOf(before).slice(0, 3)) > 89) return true
  // Sequences that are kept are cleaned item by item.
  return action === "K" && before.items !== undefined && became === "changed"
}

/** Grades each attribute of Table E.1-1 by its action, and each other one as unchanged. */
export class Actions {
  readonly #pair: Pair
  readonly #report: Report
  /** Values that another class names as identity; an attribute with one may be cleaned. */
  readonly #names: (element: Element) => boolean
  readonly #pixelsCleaned: boolean

  constructor(pair: Pair, names: (element: Element) => boolean, report: Report) {
    this.#pair = pair
    this.#names = names
    this.#report = report
    this.#pixelsCleaned = pixelsCleaned(pair)
  }

  grade(): void {
    this.#dataSet(this.#pair.input.data, this.#pair.output.data, false)
  }

  #dataSet(before: DataSet, after: DataSet, dummy: boolean): void {
    const made = new Map(after.map((element) => [element.tag, element]))
    const was = new Set(before.map(({ tag }) => tag))
    for (const element of before) this.#element(element, made.get(element.tag), dummy)
    for (const element of after) if (!was.has(element.tag) && !dummy) this.#added(element)
  }

  #added(element: Element): void {
    const { tag, path } = element
    if (markers.has(tag) || tag === charset || isGroupLength(tag) || isPrivate(tag)) return
    const { sopClass, standard } = this.#pair
    if (this.#pixelsCleaned && describesPixels(element, undefined, element, this.#pair)) return
    const row = standard.rowOf(tag)
    const types = standard.typesOf(sopClass, tag, path) ?? ["1", "2", "3"]
    // What the IOD requires may be given where it was missing, as a dummy.
    if (row !== undefined && /[ZD]/.test(row.basic) && [...types].some((type) => /^[12]/.test(type))) return
    this.#report("unchanged", path, "added")
  }

  #element(before: Element, after: Element | undefined, dummy: boolean): void {
    const { tag, path } = before
    if (isPrivate(tag) || isGroupLength(tag) || isPixels(tag) || markers.has(tag)) return
    if (this.#pixelsCleaned && after !== undefined && describesPixels(before, before, after, this.#pair)) return
    const { sopClass, asked, standard } = this.#pair
    const actions = actionsFor(before, sopClass, asked, standard)
    const became = outcome(before, after)
    if (actions === undefined) return dummy ? undefined : this.#unlisted(before, after, became)
    if (actions.has("C")) this.#cleaned(before, after, became)
    else if (became === "same" && !actions.has("K") && !fits("U", became, before) && !isEmpty(before)) {
      // References in a sequence are replaced one by one, so one without any stays as it is.
      if (before.items === undefined || !actions.has("U")) this.#report("actions", path, `${name(actions)}-unchanged`)
    } else if (![...actions].some((action) => fits(action, became, before)))
      this.#report("actions", path, `${name(actions)}-${became}`)
    this.#items(before, after, dummy || !(actions.has("K") || actions.has("U") || actions.has("C")))
  }

  #cleaned(before: Element, after: Element | undefined, became: ReturnType<typeof outcome>): void {
    if (before.vr !== "DA" && before.vr !== "DT") return
    const dated = valuesOf(before).filter((value) => dayOf(value) !== undefined && !isPlaceholder(value))
    if (dated.length > 0 && (became === "absent" || became === "empty"))
      this.#report("actions", before.path, `C-${became}`)
    else if (dated.length > 0 && after !== undefined && valuesOf(after).every((value) => dayOf(value) === undefined))
      this.#report("actions", before.path, "C-no-date")
  }

  #items(before: Element, after: Element | undefined, dummy: boolean): void {
    const made = after?.items
    if (before.items === undefined || made === undefined) return
    if (!dummy && made.length > 0 && before.items.length !== made.length)
      this.#report("unchanged", before.path, "number-of-items")
    for (const [at, item] of made.entries()) this.#dataSet(before.items[at] ?? [], item, dummy)
  }

  #unlisted(before: Element, after: Element | undefined, became: ReturnType<typeof outcome>): void {
    const { tag, path } = before
    const known = this.#pair.standard.vrOf(tag) !== undefined
    const plane = planeOf(tag)
    if (plane !== 0 && became === "absent") return
    if (!known) return became === "absent" ? undefined : this.#report("unchanged", path, "not-in-dictionary-kept")
    if (tag === charset || before.items !== undefined) {
      if ((became === "absent" || became === "empty") && before.value.length > 0 && !isEmpty(before))
        this.#report("unchanged", path, became)
      return this.#items(before, after, false)
    }
    if (became === "same" || (became === "empty" && isEmpty(before)) || this.#names(before)) return
    if (became === "changed" && mayReplaceText(before, this.#pair)) return
    this.#report("unchanged", path, became, before.value)
  }
}

const isEmpty = (element: Element): boolean =>
  element.items === undefined ? textless(element) : element.items.length === 0
const name = (actions: ReadonlySet<Action>): string => [...actions].join("|")
