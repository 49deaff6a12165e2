import { createHash } from "node:crypto"
import { badRecord, refused, rowId } from "../../core/index.ts"
import type { CuratedInstance, CuratedStudy, Draft, HeldInput, Timer, WeirError } from "../../core/index.ts"
import type { Input, Output } from "./dicom-changes.ts"
import type { DicomPolicy } from "./dicom-policy.ts"
import { positionOf } from "./dicom-rows.ts"
import type { Emitted, InstanceRow, Refusal, StudyRow } from "./dicom-rows.ts"
import { idOf } from "./dicom-verdict.ts"

/** What a step emits from: a record that it holds, or the timer that drives it. */
export type Stem = Input | Timer

const stampOf = (value: unknown): string => createHash("sha256").update(JSON.stringify(value)).digest("base64url")

/** The input that a row keeps. */
export const heldOf = ({ at, origin }: InstanceRow): HeldInput => ({ at: positionOf(at), origin: positionOf(origin) })

type Content<V> = Pick<Draft<V>, "op" | "value" | "time">

/** Writes rows below the border: numbers them on, and says of each where the chain of what it tells began. */
export class Emitter {
  readonly #policy: DicomPolicy
  readonly #out: Output
  readonly #from: Stem

  constructor(policy: DicomPolicy, out: Output, from: Stem) {
    this.#policy = policy
    this.#out = out
    this.#from = from
  }

  /** Emits a released instance unless it stands so already. */
  release(key: string, { out: before, stated, origin }: InstanceRow, value: CuratedInstance): Emitted {
    const time = this.#policy.time(stated!.time, this.#policy.person(key)) ?? 0
    const stamp = stampOf([value, time])
    if (before?.op === "upsert" && before.stamp === stamp) return before
    return this.#emit("instances", key, { id: idOf(value), stamp, origin, object: value.object.key }, before, {
      op: "upsert",
      value,
      time,
    })
  }

  /** Takes back what stands. A retract happens when something is learnt; beside its arrival the time would tell the shift. */
  takeBack(to: "instances" | "studies", key: string, before: Emitted | undefined): Emitted | undefined {
    if (before?.op !== "upsert") return before
    const { id, origin } = before
    return this.#emit(to, key, { id, stamp: "", origin }, before, { op: "retract", value: null, time: 0 })
  }

  study(key: string, uid: string, { out: before, origin }: StudyRow, value: CuratedStudy, time: number): Emitted {
    const stamp = stampOf([value, time])
    if (before?.op === "upsert" && before.stamp === stamp) return before
    const id = rowId([this.#policy.uid(uid)])
    return this.#emit("studies", key, { id, stamp, origin }, before, { op: "upsert", value, time })
  }

  #emit(
    to: "instances" | "studies",
    key: string,
    row: Pick<Emitted, "id" | "stamp" | "origin" | "object">,
    before: Emitted | undefined,
    content: Content<CuratedInstance> | Content<CuratedStudy>,
  ): Emitted {
    const version = BigInt(before?.revision ?? "0") + 1n
    const { pseudonym } = this.#policy.person(key)
    const draft = { key: pseudonym, id: row.id, version, origin: positionOf(row.origin), ...content }
    this.#out.emit(to, this.#from, draft as Draft<never>)
    return { ...row, revision: String(version), op: content.op }
  }

  /** The dead letter of an instance that was held. */
  fail(row: InstanceRow, refusal: Refusal): void {
    this.#out.failHeld(this.#from, heldOf(row), errorOf(refusal))
  }

  drop(row: InstanceRow, reason: string): void {
    this.#out.dropHeld(this.#from, heldOf(row), reason)
  }
}

/** Codes of originals that could not be read as objects: no decision of privacy, and another one when they can be read. */
const ofObjects: ReadonlySet<string> = new Set([
  "object-missing",
  "object-key",
  "object-changed",
  "object-broken",
  "object-erased",
  "object-unsealed",
])
export const isUnread = (reason: string | undefined): boolean => reason !== undefined && ofObjects.has(reason)

function errorOf({ reason, path, detail }: Refusal): WeirError {
  const where = path === undefined ? {} : { path }
  if (isUnread(reason)) return badRecord(reason, `the original of the instance cannot be read (${reason})`, where)
  return refused(
    reason,
    `the instance is not released (${detail === undefined ? reason : `${reason}: ${detail}`})`,
    where,
  )
}
