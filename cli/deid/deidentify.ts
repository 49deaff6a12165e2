import { join } from "node:path"
import { WeirError } from "../../core/index.ts"
import type { Counts } from "../../formats/dicom/index.ts"
import { deidentifyCoded } from "../../transforms/deidentify/dicom-coded.ts"
import { examine } from "../../transforms/deidentify/dicom-original.ts"
import type { Original } from "../../transforms/deidentify/dicom-original.ts"
import type { DicomPolicy } from "../../transforms/deidentify/dicom-policy.ts"
import { Faces } from "../../transforms/deidentify/dicom-faces.ts"
import type { FaceSeries } from "../../transforms/deidentify/dicom-faces.ts"
import { Room, roomBytes } from "../../transforms/deidentify/dicom-room.ts"
import { addEvidence, decisionOn, noInstances, under } from "../../transforms/deidentify/dicom-series.ts"
import type { SeriesCounts } from "../../transforms/deidentify/dicom-series.ts"
import type { Member } from "../../transforms/deface/index.ts"
import { FileChanged, withFile } from "./files.ts"
import type { Inputs } from "./files.ts"
import { inOrder } from "./in-order.ts"
import { Memory } from "./memory.ts"
import { Ambiguity, identifierOf, personsBy } from "./person.ts"
import type { NamespaceOf } from "./person.ts"
import { Texts, statedIds, textKindOf } from "./texts.ts"
import type { TextCounts, TextKind } from "./texts.ts"
import { resourceKindOf, resourceRoom } from "./resources.ts"
import type { ResourceCounts, ResourceKind, Resources } from "./resources.ts"
import { SeriesSamples } from "./samples.ts"
import type { Folder } from "./write.ts"

/** What became of one file. `input` is its path under the input, `output` that under the output, empty when there is none;
 * `reason` is a code, empty when it was released. */
export interface FileResult {
  readonly input: string
  readonly output: string
  readonly status: "released" | "refused" | "failed"
  readonly reason: string
  /** Elements of a released image by what was done. */
  readonly counts?: Counts
  /** Of a released message file or report: its fields by what was done, and what was replaced in texts. */
  readonly texts?: TextCounts
  /** Of a file of FHIR resources. */
  readonly resources?: ResourceCounts
}

/** How far a run is; `phase` reading counts headers, writing counts files that have their result. */
export interface Progress {
  readonly phase: "reading" | "writing"
  readonly done: number
  readonly total: number
}

/** What de-identifying a set of files needs. */
export interface FileSetting {
  readonly policy: DicomPolicy
  /** The cleaner of what is no image, given what is known of ambiguous patient ids. */
  readonly texts: (ambiguous: (patientId: string) => boolean) => Texts
  /** The same for resources. */
  readonly resources: (ambiguous: (patientId: string) => boolean) => Resources
  readonly identityKey: Uint8Array
  readonly namespace: NamespaceOf
  /** Notes in the vault, where there is one, which patient id a person has. */
  readonly note: (person: string, identifier: { readonly namespace: string; readonly value: string }) => Promise<void>
  readonly folder: Folder
  readonly onProgress: (progress: Progress) => void
  readonly signal: AbortSignal
}

/** What the first pass keeps of a file. */
type Known =
  | { readonly kind: "done"; readonly status: "refused" | "failed"; readonly reason: string }
  | { readonly kind: "beside"; readonly mark: string; readonly as: TextKind }
  | { readonly kind: "fhir"; readonly mark: string; readonly as: ResourceKind }
  | KnownInstance

interface KnownInstance {
  readonly kind: "instance"
  readonly mark: string
  readonly person: string | undefined
  readonly patientId: string
  readonly issuer: string
  readonly study: string
  readonly series: string
  readonly sop: string
  /** It is a picture from which a face could be rendered, alone or with others. */
  readonly showsFace: boolean
}

/** Most bytes of a message file or report. */
const mostText = 64 << 20

/** A failure of the one file; failures of the output and of our own are thrown. */
function failedFile(thrown: unknown): { readonly status: "failed"; readonly reason: string } {
  if (thrown instanceof FileChanged) return { status: "failed", reason: "changed-while-reading" }
  const { code, syscall } = thrown as NodeJS.ErrnoException
  if (thrown instanceof WeirError || syscall === undefined) throw thrown
  return { status: "failed", reason: `unreadable-${(code ?? "unknown").toLowerCase()}` }
}

function reasonOf({ reason, detail }: { readonly reason: string; readonly detail?: string }): string {
  if (reason === "unparsable" && detail === "not-dicom") return "not-dicom"
  return reason === "face-risk" && detail !== undefined ? `${reason}-${detail}` : reason
}

class Run {
  readonly #inputs: Inputs
  readonly #setting: FileSetting
  readonly #series = new Map<string, SeriesCounts>()
  readonly #faces: Faces
  readonly #known: Known[] = []
  readonly #ambiguity = new Ambiguity()
  readonly #room = new Room(roomBytes)
  readonly #memory = new Memory()
  readonly #texts: Texts
  readonly #resources: Resources
  readonly #samples: SeriesSamples
  readonly #personOf: ReturnType<typeof personsBy>

  constructor(inputs: Inputs, setting: FileSetting) {
    this.#inputs = inputs
    this.#setting = setting
    this.#faces = new Faces(setting.policy)
    this.#personOf = personsBy(setting.identityKey, setting.namespace)
    this.#samples = new SeriesSamples(inputs.folder, setting.policy)
    const ambiguous = (patientId: string) => this.#ambiguity.has(patientId)
    this.#texts = setting.texts(ambiguous)
    this.#resources = setting.resources(ambiguous)
  }

  async *results(): AsyncGenerator<FileResult> {
    const { files } = this.#inputs
    const known = this.#known
    for await (const one of inOrder(files, (file) => this.#examine(file))) {
      known.push(one)
      this.#tell("reading", known.length)
    }
    let done = 0
    const items = files.map((file, at) => [file, known[at]!] as const)
    for await (const result of inOrder(items, ([file, one]) => this.#result(file, one))) {
      this.#tell("writing", ++done)
      yield result
    }
  }

  #tell(phase: Progress["phase"], done: number): void {
    this.#setting.signal.throwIfAborted()
    this.#setting.onProgress({ phase, done, total: this.#inputs.files.length })
  }

  /** For an act that keeps nothing of the bytes. */
  #withFile<T>(file: string, act: Parameters<typeof withFile<T>>[1]): Promise<T> {
    return this.#memory.lend((take) => withFile(join(this.#inputs.folder, file), act, take))
  }

  async #examine(file: string): Promise<Known> {
    try {
      return await this.#withFile(file, async (original, mark): Promise<Known> => {
        const as = textKindOf(file)
        if (as !== undefined) return await this.#examineText(as, original, mark)
        const resources = resourceKindOf(file)
        if (resources !== undefined) return await this.#examineResources(file, resources, original, mark)
        if (original.size === 0) return { kind: "done", status: "refused", reason: "not-dicom" }
        const found = await this.#room.use(original.size, () => examine(original))
        if (found.kind === "refused") return { kind: "done", status: "refused", reason: reasonOf(found) }
        const { summary, evidence } = found
        const { patientId, studyInstanceUid: study, seriesInstanceUid: series } = summary
        const person = this.#personOf(summary)
        this.#ambiguity.add(summary)
        const slot = seriesSlot(person, study, series)
        const counts = this.#series.get(slot) ?? noInstances()
        addEvidence(counts, evidence)
        this.#series.set(slot, counts)
        if (this.#setting.policy.pixels !== undefined) this.#samples.add(slot, file, summary)
        const showsFace = evidence.region !== "none"
        const { sopInstanceUid: sop } = summary
        return {
          kind: "instance",
          mark,
          person,
          patientId,
          issuer: summary.issuerOfPatientId,
          study,
          series,
          sop,
          showsFace,
        }
      })
    } catch (thrown) {
      return { kind: "done", ...failedFile(thrown) }
    }
  }

  async #examineText(as: TextKind, original: Original, mark: string): Promise<Known> {
    if (original.size === 0) return { kind: "done", status: "refused", reason: "empty" }
    if (as === "hl7" && original.size <= mostText)
      await this.#room.use(original.size, async () => {
        for (const { value, authority } of statedIds(await original.read(0, original.size)))
          this.#ambiguity.add({ patientId: value, issuerOfPatientId: authority })
      })
    return { kind: "beside", mark, as }
  }

  async #examineResources(file: string, as: ResourceKind, original: Original, mark: string): Promise<Known> {
    const room = resourceRoom(as, original.size)
    const reason = await this.#room.use(room, () => this.#resources.examine(file, as, original))
    return reason === undefined ? { kind: "fhir", mark, as } : { kind: "done", status: "refused", reason }
  }

  async #result(input: string, known: Known): Promise<FileResult> {
    if (known.kind === "done") return { input, output: "", status: known.status, reason: known.reason }
    if (
      known.kind === "instance" &&
      typeof this.#setting.namespace === "string" &&
      this.#ambiguity.has(known.patientId)
    )
      return { input, output: "", status: "refused", reason: "issuer-ambiguous" }
    const path = join(this.#inputs.folder, input)
    try {
      return await this.#withFile(input, async (original, mark, remark): Promise<FileResult> => {
        if (mark !== known.mark) throw new FileChanged()
        if (known.kind === "fhir") return this.#writeResources(input, original, known, remark)
        return this.#room.use(original.size, () =>
          known.kind === "beside"
            ? this.#writeText(input, path, original, known.as)
            : this.#write(input, original, known, remark),
        )
      })
    } catch (thrown) {
      return { input, output: "", ...failedFile(thrown) }
    }
  }

  async #writeText(input: string, path: string, original: Original, as: TextKind): Promise<FileResult> {
    if (original.size > mostText) return { input, output: "", status: "refused", reason: "too-large" }
    const found = await this.#texts.result(as, path, await original.read(0, original.size))
    if (found.kind === "refused") return { input, output: "", status: "refused", reason: found.reason }
    const pieces = [found.bytes]
    const stream = async function* () {
      yield* pieces
    }
    const output = await this.#setting.folder.write(found.folder, { pieces, stream }, found.extension)
    return { input, output, status: "released", reason: "", texts: found.told }
  }

  async #writeResources(
    input: string,
    original: Original,
    { as, mark }: Extract<Known, { readonly kind: "fhir" }>,
    remark: () => string,
  ): Promise<FileResult> {
    const unchanged = () => {
      if (remark() !== mark) throw new FileChanged()
    }
    const room = resourceRoom(as, original.size)
    const found = await this.#room.use(room, () => this.#resources.write(input, as, original, unchanged))
    const { told: resources } = found
    return found.kind === "refused"
      ? { input, output: "", status: "refused", reason: found.reason, resources }
      : { input, output: found.output, status: "released", reason: "", resources }
  }

  async #write(input: string, original: Original, known: KnownInstance, remark: () => string): Promise<FileResult> {
    const { policy, folder } = this.#setting
    const { person, study, series, mark } = known
    const slot = seriesSlot(person, study, series)
    const risk = decisionOn(this.#series.get(slot)!, policy)
    const cleaner = policy.pixels
    const pixels = cleaner === undefined ? undefined : { cleaner, inSample: () => this.#samples.readsAll(slot) }
    const identifier = identifierOf(known, this.#setting.namespace)
    // Before anything is written, so that there is a way back from all that is.
    if (person !== undefined && identifier !== undefined) await this.#setting.note(person, identifier)
    const face = risk === "face-risk" && policy.cleansFaces ? this.#faceSeries(slot, series) : undefined
    const coded = await deidentifyCoded({ original, key: person, study, risk, face, pixels }, policy, this.#faces)
    const { found } = coded
    if (found.kind === "refused") return { input, output: "", status: "refused", reason: reasonOf(under(risk, found)) }
    if (remark() !== mark) throw new FileChanged()
    const output = await folder.write(coded.study, found)
    return { input, output, status: "released", reason: "", counts: found.released.report.counts }
  }

  #faceSeries(slot: string, uid: string): FaceSeries {
    const members = (): readonly Member[] =>
      this.#known.flatMap((one, at) => {
        const isMember =
          one.kind === "instance" && one.showsFace && seriesSlot(one.person, one.study, one.series) === slot
        return isMember ? [memberOf(join(this.#inputs.folder, this.#inputs.files[at]!), one)] : []
      })
    return { slot, uid, members }
  }
}

/** A file of a series, as it was when its header was read. */
const memberOf = (path: string, { sop, mark }: KnownInstance): Member => ({
  id: sop,
  use: (act) =>
    withFile(path, (bytes, now) => {
      if (now !== mark) throw new FileChanged()
      return act(bytes)
    }),
})

const seriesSlot = (person: string | undefined, study: string, series: string): string =>
  JSON.stringify([person ?? "", study, series])

/** De-identifies files in two passes: headers first, so that each series is decided on as a whole, then each file with the decision
 * on its series. Results come in name order. */
export const deidentifyFiles = (inputs: Inputs, setting: FileSetting): AsyncGenerator<FileResult> =>
  new Run(inputs, setting).results()
