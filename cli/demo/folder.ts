import { randomBytes } from "node:crypto"
import { existsSync } from "node:fs"
import { cp, mkdir, readFile, readdir, rename, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import type { Synthesize, SynthesisSummary } from "../app.ts"
import { UsageError } from "../exit.ts"
import { packageFolder } from "../version.ts"

/** A delivery of the synthetic hospital: what is known at the end of the day before `asOf`. */
export interface Wave {
  readonly name: string
  readonly asOf: string
  readonly completeThrough: string
}

/** A patient as they really are, as truth.json says. */
export interface TruePerson {
  readonly person: string
  readonly mergedWith?: string
  readonly imagesLinked: boolean
  readonly studies: readonly {
    readonly uid: string
    readonly labels: Readonly<Record<string, Readonly<Record<string, string>>>>
  }[]
}

/** A value that must not be found below `phi`. */
export interface Planted {
  readonly value: string
  readonly kind: string
  readonly person: string
}

/** What is so of the hospital. */
export interface Truth {
  readonly waves: readonly Wave[]
  readonly persons: readonly TruePerson[]
  readonly planted: readonly Planted[]
}

/** The files of a demo in its folder. */
export class DemoFolder {
  readonly path: string
  readonly pipeline: string

  constructor(path: string) {
    this.path = path
    this.pipeline = join(path, "pipeline.yaml")
  }

  /** Empties the folder; refuses one that no demo made. */
  async renew(): Promise<void> {
    const mark = join(this.path, ".weir-demo")
    const there = existsSync(this.path) ? await readdir(this.path) : []
    if (there.length > 0 && !existsSync(mark))
      throw new UsageError([`${this.path} is not empty and no demo made it; name another folder`], "demo")
    await rm(this.path, { recursive: true, force: true })
    await mkdir(join(this.path, "keys"), { recursive: true, mode: 0o700 })
    await writeFile(mark, "weir demo writes here, and empties the folder when it runs again\n")
    for (const key of ["project", "identity"])
      await writeFile(join(this.path, "keys", key), `${randomBytes(32).toString("hex")}\n`, { mode: 0o600 })
  }

  /** Makes the hospital, and puts its phenotypes and code tables where the pipeline looks for them. */
  async hospital(synthesize: Synthesize, patients: number, seed: string): Promise<SynthesisSummary> {
    const out = join(this.path, "hospital")
    const summary = await synthesize({ patients, seed, out })
    for (const name of ["phenotypes", "codes"]) await rename(join(out, name), join(this.path, name))
    return summary
  }

  async truth(): Promise<Truth> {
    const read = async (name: string) =>
      JSON.parse(await readFile(join(this.path, "hospital", name), "utf8")) as Truth & {
        readonly values: readonly Planted[]
      }
    const { waves, persons } = await read("truth.json")
    return { waves, persons, planted: (await read("planted.json")).values }
  }

  /** Files of a wave arrive in the folders that the sources read, and the operator says how far the feeds are complete. */
  async deliver(wave: Wave): Promise<void> {
    for (const [from, to] of [
      ["dicom", "incoming"],
      ["ehr", "ehr"],
    ] as const) {
      const delivered = join(this.path, "hospital", wave.name, from)
      await mkdir(join(this.path, to), { recursive: true })
      if (existsSync(delivered)) await cp(delivered, join(this.path, to, wave.name), { recursive: true })
    }
    const example = await readFile(join(packageFolder(), "examples", "demo.yaml"), "utf8")
    await writeFile(
      this.pipeline,
      example.replaceAll(/complete-through: [\d-]+/g, `complete-through: ${wave.completeThrough}`),
    )
  }
}
