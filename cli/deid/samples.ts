import { join } from "node:path"
import type { Summary } from "../../formats/dicom/index.ts"
import type { DicomPolicy } from "../../transforms/deidentify/dicom-policy.ts"
import { withFile } from "./files.ts"

interface Slice {
  readonly file: string
  readonly sop: string
  readonly number: number
}

/** The slices of each series, of which a sample is read before any passes unread: the first, the middle and the last by Instance Number,
 * and the policy's share. Text in one of them, or one that cannot be read, and every slice of the series is read. */
export class SeriesSamples {
  readonly #folder: string
  readonly #policy: DicomPolicy
  readonly #slices = new Map<string, Slice[]>()
  readonly #decided = new Map<string, Promise<boolean>>()

  constructor(folder: string, policy: DicomPolicy) {
    this.#folder = folder
    this.#policy = policy
  }

  /** @param series names the series, of one person */
  add(series: string, file: string, { sopInstanceUid: sop, instanceNumber }: Summary): void {
    const slices = this.#slices.get(series) ?? []
    this.#slices.set(series, slices)
    slices.push({ file, sop, number: instanceNumber ?? 0 })
  }

  /** Whether every slice of a series is to be read. */
  readsAll(series: string): Promise<boolean> {
    const known = this.#decided.get(series) ?? this.#decide(series)
    this.#decided.set(series, known)
    return known
  }

  async #decide(series: string): Promise<boolean> {
    const slices = [...this.#slices.get(series)!].sort((a, b) => a.number - b.number)
    const chosen = new Set([slices[0]!, slices[slices.length >> 1]!, slices.at(-1)!])
    for (const slice of slices) if (this.#policy.inShare(slice.sop)) chosen.add(slice)
    for (const { file } of chosen) if (!(await this.#isClean(file))) return true
    return false
  }

  async #isClean(file: string): Promise<boolean> {
    try {
      return await withFile(join(this.#folder, file), async (original) => {
        const bytes = await original.read(0, original.size)
        return (await this.#policy.pixels!.clean(bytes, [])).kind === "read"
      })
    } catch {
      // Whatever is wrong with the file is told where it is de-identified itself.
      return false
    }
  }
}
