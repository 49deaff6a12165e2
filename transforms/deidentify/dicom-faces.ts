import { createHash } from "node:crypto"
import type { Refused } from "../../formats/dicom/index.ts"
import { planDefacing } from "../deface/index.ts"
import type { Defacing, Held, Member } from "../deface/index.ts"
import { decodeSlice } from "./decode-slice.ts"
import type { Reviewed } from "../../formats/dicom/index.ts"
import { deidentifyOriginal, readPixels } from "./dicom-original.ts"
import type { Original, PixelReading, PixelsSeen, ReleasedObject, Unfit } from "./dicom-original.ts"
import type { PixelsHeld } from "./pixels/clean-pixels.ts"
import type { DicomPolicy, Person } from "./dicom-policy.ts"

/** Plans that are kept: one is made for a series, and used for each of its instances; some megabytes each. */
const mostPlans = 4

/** A series whose faces are to be taken out, at hand as files. */
export interface FaceSeries {
  /** Tells the series, with all its instances as they are now, from others. */
  readonly slot: string
  /** Series Instance UID. */
  readonly uid: string
  /** Its instances that can show a face. */
  readonly members: () => readonly Member[]
}

/** What stands for the instances of a series, each with its version. */
export function membersHash(instances: readonly (readonly [sop: string, version: string])[]): string {
  const sorted = instances.map((one) => JSON.stringify(one)).sort()
  return createHash("sha256").update(sorted.join("\n")).digest("hex").slice(0, 32)
}

const faceStays = ({ why }: Held): Refused => ({ kind: "refused", reason: "face-risk", detail: why })

/** Takes faces out of instances, by series: the first instance of a series makes the plan for all. One plan is made at a time, as each
 * has a grid in memory; the last few are kept. */
export class Faces {
  readonly #policy: DicomPolicy
  readonly #plans = new Map<string, Promise<Defacing | Held>>()
  #turn: Promise<unknown> = Promise.resolve()

  constructor(policy: DicomPolicy) {
    this.#policy = policy
  }

  /** De-identifies an instance of a series without its face; refused as `face-risk`, with a detail that says why the face stays. With a
   * reader of pixels, text goes first: the cut of the series is by place, and the same with it. */
  async deidentify(
    original: Original,
    person: Person | undefined,
    series: FaceSeries,
    pixels?: PixelReading,
    reviewed?: Reviewed,
  ): Promise<ReleasedObject | Refused | Unfit | PixelsHeld> {
    const plan = await this.#plan(series)
    if (plan.kind === "held") return faceStays(plan)
    const { deidentify } = this.#policy
    const context = {
      person: person?.dicom,
      series: { risk: "face-risk" as const },
      facesCleaned: true,
      ...(reviewed === undefined ? {} : { reviewed }),
    }
    const untouched: PixelsSeen = { kind: "seen", original, pixels: undefined }
    const seen = pixels === undefined ? untouched : await readPixels(original, deidentify, context, pixels)
    if (seen.kind === "refused") return seen
    const cleaned = await plan.deface(seen.original)
    if ("kind" in cleaned) return faceStays(cleaned)
    return deidentifyOriginal(cleaned, deidentify, { ...context, pixels: seen.pixels })
  }

  #plan({ slot, uid, members }: FaceSeries): Promise<Defacing | Held> {
    const known = this.#plans.get(slot)
    this.#plans.delete(slot)
    const plan = known ?? this.#make(members, this.#policy.faceSecret(uid))
    this.#plans.set(slot, plan)
    // One that failed is not kept: the next instance tries again. Who waits for it sees the failure.
    plan.catch(() => this.#plans.delete(slot))
    for (const oldest of this.#plans.keys()) if (this.#plans.size > mostPlans) this.#plans.delete(oldest)
    return plan
  }

  #make(members: FaceSeries["members"], secret: string): Promise<Defacing | Held> {
    const made = this.#turn.then(() => planDefacing(members(), { secret, decode: decodeSlice }))
    this.#turn = made.catch(() => {})
    return made
  }
}
