import { createHash } from "node:crypto"
import { fatal } from "../../core/errors.ts"
import type { CompiledPipeline, CompiledStage } from "../../core/pipeline/model.ts"
import type { Zone } from "../../core/record.ts"
import { explain, profileOptions, whyText } from "../../formats/dicom/index.ts"
import type { Explained } from "../../formats/dicom/index.ts"
import type { InstanceRow } from "../../transforms/deidentify/dicom-rows.ts"
import type { App, Io } from "../app.ts"
import { UsageError } from "../exit.ts"
import { audited, withObjects, withStore } from "../ports.ts"
import { version } from "../version.ts"
import { elementsOf } from "./elements.ts"
import type { Shown } from "./elements.ts"
import { imageStages, rowsOf } from "./gather.ts"
import { escaped, pageOf, table } from "./html.ts"
import { persons } from "./images.ts"

/** One element of an image, before and after; both values are as their VR is read, long ones cut. */
export interface ElementPair {
  /** Tag path, as `(0008,1115)[0].(0020,000E)`; file meta information too. */
  readonly path: string
  readonly keyword: string
  readonly vr: string
  /** By comparison of the two files, not by what the rule says. */
  readonly action: "kept" | "removed" | "emptied" | "replaced" | "added" | "items" | "not-released"
  /** The row of Table E.1-1 and why it was taken, in words. */
  readonly rule: string
  /** Absent where the file has no such element. */
  readonly before?: string
  readonly after?: string
}

/** An image before and after de-identification. It is phi: all of its values are in it. */
export interface BeforeAfter {
  readonly format: "weir-before-after-1"
  readonly pipeline: string
  readonly stage: string
  readonly tool: string
  readonly made: string
  /** `released`, or the reason of the refusal. */
  readonly verdict: string
  readonly profile: string
  readonly elements: readonly ElementPair[]
}

/** Larger images are not held in memory. */
const most = 512 << 20

interface Found {
  readonly stage: CompiledStage
  readonly row: InstanceRow
}

async function find(pipeline: CompiledPipeline, app: App, uid: string): Promise<Found | undefined> {
  for (const stage of imageStages(pipeline)) {
    const row = await withStore(pipeline, app, async (store) => {
      for await (const { instances } of persons(rowsOf(store, pipeline, stage)))
        for (const { sop, row: one } of instances)
          if (one.stated !== undefined && (sop === uid || one.verdict?.released?.sopInstanceUid === uid)) return one
      return undefined
    })
    if (row !== undefined) return { stage, row }
  }
  return undefined
}

/** Bytes of an object, which have to be those of its claim check. */
async function bytesOf(
  pipeline: CompiledPipeline,
  app: App,
  io: Io,
  zone: Zone,
  { key, size, sha256 }: { readonly key: string; readonly size: number; readonly sha256: string },
): Promise<Uint8Array> {
  if (size > most) throw fatal("too-large", "the image has more bytes than are read for a table", { path: "instance" })
  const bytes = await withObjects(pipeline, zone, app, io, (objects) => objects.bytes(key))
  if (createHash("sha256").update(bytes).digest("hex") === sha256) return bytes
  throw fatal("object-changed", "the bytes of the image are not those that were de-identified", { path: "instance" })
}

/** Reads an image and what was made of it, and pairs their elements; that somebody looked is written down first.
 * Throws UsageError for an image that is not known. */
export async function beforeAfter(pipeline: CompiledPipeline, app: App, io: Io, uid: string): Promise<BeforeAfter> {
  const found = await find(pipeline, app, uid)
  if (found === undefined) throw new UsageError(["no image of this pipeline has this UID"], "report")
  const { stage, row } = found
  const [topic, partition, offset] = row.at
  await audited(pipeline, app, "report", `${pipeline.name}: before and after of ${topic}[${partition}]@${offset}`)
  const zoneOf = (name: string | undefined): Zone => pipeline.topics.get(name ?? "")?.zone ?? "phi"
  const original = await bytesOf(pipeline, app, io, "phi", row.stated!.object)
  const released = row.out?.op === "upsert" ? row.verdict?.released : undefined
  const made =
    released === undefined
      ? undefined
      : await bytesOf(pipeline, app, io, zoneOf(stage.outputs["instances"]), released.object)
  const profile = released?.profile ?? ""
  const verdict = released !== undefined ? "released" : (row.verdict?.refused?.reason ?? "not-decided")
  return {
    format: "weir-before-after-1",
    pipeline: pipeline.name,
    stage: stage.name,
    tool: `weir ${version()}`,
    made: new Date(io.now()).toISOString(),
    verdict,
    profile,
    elements: pairs(original, made, profile.split(" ")),
  }
}

/** Pairs the elements of two files by their paths.
 * @param named options that were on */
export function pairs(
  original: Uint8Array,
  made: Uint8Array | undefined,
  named: readonly string[],
): readonly ElementPair[] {
  const options = profileOptions.filter((option) => named.includes(option))
  // Judged alone, an image of a series whose faces were dealt with would be refused before its elements are looked at.
  const explained = explain({ header: original, size: original.length }, { options, faces: "allow" })
  const rules = new Map("kind" in explained ? [] : explained.elements.map((one) => [one.path, one]))
  const before = elementsOf(original)
  const after = made === undefined ? new Map<string, Shown>() : elementsOf(made)
  return [...new Set([...before.keys(), ...after.keys()])].sort().map((path) => {
    const [was, is] = [before.get(path), after.get(path)]
    const { keyword, vr } = (was ?? is)!
    return {
      path,
      keyword,
      vr,
      action: made === undefined ? "not-released" : actionOf(was, is),
      rule: ruleOf(path, rules),
      ...(was === undefined ? {} : { before: was.text }),
      ...(is === undefined ? {} : { after: is.text }),
    }
  })
}

function actionOf(was: Shown | undefined, is: Shown | undefined): ElementPair["action"] {
  if (is === undefined) return "removed"
  if (was === undefined) return "added"
  if (was.isSequence && is.isSequence) return "items"
  if (was.hash === is.hash) return "kept"
  return is.isEmpty ? "emptied" : "replaced"
}

/** The rule of an element, or of the sequence around that was decided on as a whole. */
function ruleOf(path: string, rules: ReadonlyMap<string, Explained>): string {
  if (path.startsWith("(0002,")) return "file meta information is written anew (PS3.10 7.1)"
  for (let at = path; at !== ""; at = at.slice(0, Math.max(0, at.lastIndexOf("[")))) {
    const found = rules.get(at)
    if (found === undefined) continue
    const { row, action, options, why } = found
    const code = row === "" || row === action || action === "" ? row : `${row}: ${action}`
    const words = [code, ...options.map((one) => `${one.code} ${one.option}`)].filter((word) => word !== "")
    const inside = at === path ? "" : `by ${at}: `
    return `${inside}${words.join(", ")}${words.length === 0 ? "" : "; "}${whyText[why]}`
  }
  return ""
}

/** The table as a page, with a warning of what it is. */
export const beforeAfterPage = ({ pipeline, stage, tool, made, verdict, profile, elements }: BeforeAfter): string =>
  pageOf(
    "An image before and after de-identification",
    '<p class="phi"><strong>This page is phi.</strong> It holds the values of a patient; keep it where those may be kept.</p>',
    table(
      ["what", "value"],
      [
        ["pipeline", pipeline],
        ["stage", stage],
        ["verdict", verdict],
        ["profile", profile || "none: nothing was released"],
        ["written by", tool],
        ["at", made],
      ],
    ),
    `<h2>${escaped(`${elements.length} elements`)}</h2>`,
    table(
      ["element", "attribute", "VR", "action", "rule", "before", "after"],
      elements.map(({ path, keyword, vr, action, rule, before = "–", after = "–" }) => [
        path,
        keyword,
        vr,
        action,
        rule,
        before,
        after,
      ]),
    ),
  )
