import type { Case } from "./case.ts"
import { isRegisteredUid, lookup } from "./dictionary.ts"
import { dummyValue } from "./dummy.ts"
import { find } from "./element.ts"
import type { DataSet, Element } from "./element.ts"
import type { Rule } from "./profile.ts"
import { rawText } from "./raw-text.ts"
import type { Source } from "./source.ts"
import { madeBlack } from "./statements.ts"
import { isPixelData, isPrivate, tagText } from "./tag.ts"
import { DA, DT, UI } from "./vr.ts"

/** What of a case the check goes by: the table under the options, not what was made of it. */
export type Checked = Pick<Case, "source" | "rules" | "safePrivate" | "cleaning" | "dates">

/** Whether a value of dates tells years alone, or nothing. */
const isYears = (now: string, vr: number): boolean =>
  now === Buffer.from(dummyValue(vr)).toString("latin1").trim() ||
  now ===
    Buffer.from(dummyValue(vr, Buffer.from(dummyValue(vr)).toString("latin1")))
      .toString("latin1")
      .trim() ||
  now.split("\\").every((one) => (vr === DA ? /^(?:\d{4}0101)?$/ : /^(?:\d{4})?$/).test(one.trim()))

/** Compares a result with its original, element by element: what the table takes must be gone, or another. It reads the table alone
 * and none of the treatments, so that a mistake in those is found. */
export class ActionCheck {
  private readonly its: Checked
  private readonly written: Source
  readonly found: string[] = []

  constructor(its: Checked, written: Source) {
    this.its = its
    this.written = written
  }

  /** @param dummies whether all of it has to be dummies */
  dataSet(before: DataSet, after: DataSet, path = "", dummies = false): void {
    for (const element of after.elements) {
      if (path === "" && isPixelData(element.tag)) continue
      const original = find(before, element.tag)
      const holds = this.holds(original, element, path !== "", dummies)
      if (holds && element.items === undefined) continue
      const here = path + tagText(element.tag)
      if (holds) this.items(original, element, here, dummies)
      else this.found.push(here)
    }
  }

  private items(before: Element | undefined, after: Element, path: string, dummies: boolean): void {
    const rule = this.its.rules.get(after.tag)
    const inside = dummies || (rule !== undefined && rule.option === undefined && !rule.basic.includes("U"))
    for (const [at, item] of after.items!.entries()) {
      const original = before?.items?.[at]
      if (original !== undefined) this.dataSet(original, item, `${path}[${at}].`, inside)
    }
  }

  private holds(before: Element | undefined, after: Element, nested: boolean, dummies: boolean): boolean {
    const { tag } = after
    if (isPrivate(tag)) return this.its.safePrivate
    const rule = this.its.rules.get(tag)
    if (rule === undefined) return lookup(tag) !== undefined
    // What an object says of its changed pictures stands where the table takes what was said before.
    if (!nested && tag === madeBlack.tag && rawText(this.written, after).trim() === madeBlack.text) return true
    // Under an option that cleans, the concept of a content item may ask for more than the row does.
    if (rule.basic === "X" && rule.option === undefined && !dummies && !(nested && this.its.cleaning)) return false
    if (before === undefined || before.items !== undefined || after.items !== undefined) return true
    return this.differs(before, after, rule)
  }

  private differs(before: Element, after: Element, rule: Rule): boolean {
    const was = rawText(this.its.source, before).trim()
    const now = rawText(this.written, after).trim()
    const vr = lookup(after.tag)?.vr ?? after.vr
    if (this.its.dates === "year" && (vr === DA || vr === DT) && rule.option === "date") return isYears(now, vr)
    if (now === "" || was !== now) return true
    if (rule.option === "date") return (vr !== DA && vr !== DT) || !/\d{4}/.test(now)
    if (rule.option !== undefined) return true
    if (vr === UI) return now.split("\\").every((uid) => uid.trim() === "" || isRegisteredUid(uid.trim()))
    return now === Buffer.from(dummyValue(vr)).toString("latin1").trim()
  }
}
