import { readFile } from "node:fs/promises"
import { userInfo } from "node:os"
import { resolve } from "node:path"
import { readSecrets } from "../../core/engine/open.ts"
import { fatal } from "../../core/errors.ts"
import type { CompiledPipeline } from "../../core/pipeline/model.ts"
import type { VaultTables } from "../../core/ports/vault.ts"
import { identitySecret, ringKeysOf } from "../../core/sealing/sealing.ts"
import { Custodian } from "../../core/vault/custodian.ts"
import type { Act } from "../../core/vault/custodian.ts"
import { ringKeys } from "../../core/vault/ring.ts"
import type { VaultKeys } from "../../core/vault/vault.ts"
import type { App, Io } from "../app.ts"
import type { Arguments, Option } from "../command.ts"
import { UsageError } from "../exit.ts"
import { loadPipeline } from "../load.ts"
import { withStore } from "../ports.ts"

/** Why somebody does it; it goes into the audit. */
export const reasonOption: Option = { value: "TEXT", doc: "why; it is written into the audit (required)" }
/** Which project, where a pipeline has several with a vault. */
export const projectOption: Option = {
  value: "SECRET",
  doc: "name of the project key's secret, where there are several",
}

interface Named {
  /** Name of the project key's secret. */
  readonly project: string
  readonly envelope: string
  /** The key ring by which `phi` is encrypted, which the identity key's secret names. */
  readonly isRing?: true
}

/** The projects of a pipeline that have a vault. */
export function vaultsOf({ stages }: CompiledPipeline): readonly Named[] {
  const found = new Map<string, Named>()
  for (const { steps } of stages)
    for (const { options } of steps) {
      const { key, vault } = (options ?? {}) as Readonly<Record<string, unknown>>
      if (typeof key === "string" && typeof vault === "string") found.set(key, { project: key, envelope: vault })
    }
  return [...found.values()]
}

/** The key ring of a pipeline that encrypts. */
const ringOf = ({ encrypt }: CompiledPipeline): readonly Named[] =>
  encrypt === undefined ? [] : [{ project: identitySecret, envelope: encrypt.vault, isRing: true }]

function chosen(pipeline: CompiledPipeline, args: Arguments, command: string): Named {
  const all = vaultsOf(pipeline)
  const wanted = args.text("project")
  const fit =
    wanted === undefined ? all : [...all, ...ringOf(pipeline)].filter(({ project }) => project === wanted).slice(0, 1)
  if (fit.length === 1) return fit[0]!
  const names = all.map(({ project }) => project).join(", ")
  throw new UsageError(
    [
      all.length === 0
        ? "no step of this pipeline names a vault"
        : wanted === undefined
          ? `this pipeline has several projects with a vault: name one with --project (${names})`
          : `no project with a vault has the key ${wanted}; there are: ${names}`,
    ],
    command,
  )
}

/** The act that a command is, with its reason. Throws UsageError without one. */
export function actOf(args: Arguments, io: Io, command: string): Act {
  const reason = args.text("reason")?.trim() ?? ""
  if (reason === "") throw new UsageError([`${command} needs --reason: why, for the audit`], command)
  return { actor: userInfo().username, reason, now: io.now() }
}

/** The key ring that the same envelope key opens. */
export interface Ring {
  readonly tables: VaultTables
  readonly keys: VaultKeys
}

/** Wraps the ring's own key under another envelope key, unless that was done when another project's was. */
export async function rotateRing({ tables, keys }: Ring, envelopeKey: Uint8Array, act: Act): Promise<void> {
  try {
    await (await Custodian.open(tables, keys)).rotate(envelopeKey, act)
  } catch (error) {
    const { code } = error as { readonly code?: string }
    if (code === "vault-missing") return
    if (code !== "vault-key") throw error
    await Custodian.open(tables, { ...keys, envelopeKey })
  }
}

/** Opens the vault of the project that a command is about. `act` is also given the key ring that its envelope key opens. */
export async function withCustodian<T>(
  args: Arguments,
  app: App,
  io: Io,
  command: string,
  act: (custodian: Custodian, ring: Ring | undefined) => Promise<T>,
): Promise<T> {
  const { pipeline } = await loadPipeline(args.positionals[0]!, app, io)
  const named = chosen(pipeline, args, command)
  const secrets = await readSecrets(pipeline, io.environment)
  const keys = keysOf(secrets, named)
  return withStore(pipeline, app, async (store) => {
    if (store.vault === undefined) throw fatal("vault-unsupported", "this Store keeps no vault")
    const isBeside = named.isRing === undefined && pipeline.encrypt?.vault === named.envelope
    const ring = isBeside ? { tables: store.vault, keys: ringKeysOf(pipeline, secrets)! } : undefined
    return act(await Custodian.open(store.vault, keys), ring)
  })
}

/** The keys that secrets hold for a project. */
export function keysOf(secrets: ReadonlyMap<string, Uint8Array>, { project, envelope, isRing }: Named): VaultKeys {
  if (isRing === true) return ringKeys(secrets.get(project)!, secrets.get(envelope)!)
  return { projectKey: secrets.get(project)!, envelopeKey: secrets.get(envelope)! }
}

/** The bytes of a key file, without a trailing newline, as secrets are read. Throws UsageError when it is missing or short. */
export async function newKey(path: string, command: string): Promise<Uint8Array> {
  const bytes = await readFile(resolve(path)).catch(() => Buffer.alloc(0))
  const end = bytes.at(-1) === 10 ? (bytes.at(-2) === 13 ? 2 : 1) : 0
  const key = bytes.subarray(0, bytes.length - end)
  if (key.length >= 32) return key
  throw new UsageError(
    [`${path} is missing or holds fewer than 32 bytes; make one with: openssl rand -hex 32`],
    command,
  )
}
