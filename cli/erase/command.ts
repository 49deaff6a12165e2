import { readings } from "../../core/engine/positions.ts"
import type { Runtime } from "../../core/engine/runtime.ts"
import { sweepEnded } from "../../core/engine/sweep.ts"
import { fatal } from "../../core/errors.ts"
import type { CompiledPipeline } from "../../core/pipeline/model.ts"
import { personOwner } from "../../core/sealing/value-keys.ts"
import { personKeys } from "../../core/privacy.ts"
import { identitySecret, ringKeysOf } from "../../core/sealing/sealing.ts"
import { Custodian } from "../../core/vault/custodian.ts"
import type { Act } from "../../core/vault/custodian.ts"
import { memberOf, parts } from "../../transforms/identity/members.ts"
import type { Command } from "../command.ts"
import { UsageError, exit } from "../exit.ts"
import { loadPipeline } from "../load.ts"
import { refuseIfRunning } from "../positions/running.ts"
import { withRuntime } from "../runtime.ts"
import { actOf, keysOf, reasonOption, vaultsOf } from "../vault/open.ts"
import { askToErase, endErasure, removeRest } from "./plan.ts"
import type { ErasePlan } from "./plan.ts"

const command = "erase"

function memberFrom(person: string): string {
  const slash = person.indexOf("/")
  if (slash > 0 && slash < person.length - 1) return memberOf(person.slice(0, slash), person.slice(slash + 1))
  throw new UsageError([`PERSON is NAMESPACE/VALUE, as mrn/12345 or fhir:SOURCE/PATIENT-ID`], command)
}

function identityStage({ stages }: CompiledPipeline): string {
  const found = stages.find(({ steps }) => steps.some(({ plugin }) => plugin.name === "resolve-patient"))
  if (found === undefined) throw new UsageError(["no stage of this pipeline resolves patients"], command)
  return found.name
}

async function refuseWhileRunning({ log, pipeline }: Runtime): Promise<void> {
  for (const reading of readings(pipeline)) await refuseIfRunning(log, reading)
}

/** Removes the person from the vault of each project; that is written into its audit. */
async function eraseFromVaults({ store, secrets, pipeline }: Runtime, plan: ErasePlan, act: Act): Promise<number> {
  let erased = 0
  for (const named of vaultsOf(pipeline)) {
    const keys = keysOf(secrets, named)
    if (store.vault === undefined) throw fatal("vault-unsupported", "this Store keeps no vault")
    const custodian = await Custodian.open(store.vault, keys).catch((error: { code?: string }) => {
      if (error.code === "vault-missing") return undefined
      throw error
    })
    erased += (await custodian?.erase(plan.persons, act)) ?? 0
  }
  return erased
}

/** Removes the keys by which what lies in `phi` of the person was sealed; that is written into the audit of the key ring. */
async function eraseKeys({ store, secrets, pipeline }: Runtime, plan: ErasePlan, act: Act): Promise<number> {
  const keys = ringKeysOf(pipeline, secrets)
  if (keys === undefined || store.vault === undefined) return 0
  const ofMember = personKeys(secrets.get(identitySecret)!)
  const owners = (plan.members ?? []).flatMap((member) => {
    const { namespace, value } = parts(member)
    // Only a set in which the member is can have this person key: it is nobody else's.
    return [member, personOwner(ofMember(namespace, value))]
  })
  return (await Custodian.open(store.vault, keys)).erase(owners, act)
}

export const erase: Command = {
  name: command,
  summary:
    "Erases a person from a stopped pipeline: takes back all rows, then removes state, objects and vault entries",
  positionals: ["FILE", "PERSON"],
  options: { reason: reasonOption },
  more: "PERSON is NAMESPACE/VALUE, as mrn/12345. It runs the pipeline until it is idle, so that the retractions reach every sink. What comes of the person later is dropped. Records of phi topics and backups end by their retention, or with the person's keys where the pipeline encrypts.",
  async run(args, app, io) {
    const act = actOf(args, io, command)
    const [file, person] = args.positionals as [string, string]
    const member = memberFrom(person)
    const { pipeline } = await loadPipeline(file, app, io)
    const stage = identityStage(pipeline)
    const plan = await withRuntime(pipeline, app, io, async (runtime) => {
      await refuseWhileRunning(runtime)
      await runtime.store.audit("erase", `${pipeline.name}: asked by ${act.actor}: ${act.reason}`)
      return askToErase(runtime, stage, member)
    })
    if (plan === undefined) {
      io.stderr.write("nobody is known by this identifier\n")
      return exit.failed
    }
    const { runWithProgress } = await import("../run-pipeline.ts")
    const { ended } = await runWithProgress(pipeline, { untilIdle: true }, app, io)
    if (ended !== "idle") {
      io.stderr.write("stopped before everything was taken back: do it again to go on\n")
      return exit.failed
    }
    const told = await withRuntime(pipeline, app, io, async (runtime) => {
      await refuseWhileRunning(runtime)
      const rows = await removeRest(runtime, stage, plan)
      const vault = await eraseFromVaults(runtime, plan, act)
      const keys = await eraseKeys(runtime, plan, act)
      if (!(await endErasure(runtime, stage, member)))
        throw fatal("not-erased", "the run did not take back what was emitted of the person", {
          hint: "see that the stage of resolve-patient runs, and do it again",
        })
      const objects = new Set([...plan.objects, ...(await sweepEnded(runtime))])
      const sealed = pipeline.encrypt === undefined ? "" : `, ${keys} keys`
      const said = `${objects.size} objects, ${rows} rows of state, ${vault} vault entries${sealed}`
      await runtime.store.audit("erase", `${pipeline.name}: done: ${said}`)
      await runtime.store.scrub?.()
      return said
    })
    io.stdout.write(`erased: ${told}\n`)
    return exit.ok
  },
}
