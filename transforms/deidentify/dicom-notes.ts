import type { DicomInstance, Identity, Study } from "../../core/index.ts"
import type { Asking, Codes } from "./codes.ts"
import type { Input } from "./dicom-changes.ts"
import type { DicomOptions } from "./dicom-options.ts"

/** Notes in the project's vault what images are released under: the person with the patient ids, mapped UIDs and accession numbers;
 * before anything of a batch is made. What is noted is what objects say: keyed codes, or what the vault says. */
export class ImageNotes {
  readonly #codes: Codes
  readonly #namespaces: ReadonlyMap<string, string>
  readonly #issuers: ReadonlyMap<string, string>

  constructor(codes: Codes, { namespaces }: Identity, given: Pick<DicomOptions, "accession-issuers">) {
    this.#codes = codes
    this.#namespaces = new Map(
      namespaces.flatMap(({ namespace, dicomIssuers }) => dicomIssuers.map((issuer) => [issuer, namespace] as const)),
    )
    this.#issuers = new Map((given["accession-issuers"] ?? []).flatMap((same) => same.map((one) => [one, same[0]!])))
  }

  async note(batch: readonly Input[]): Promise<void> {
    const told = batch.filter(({ key, op, value }) => key !== "" && op === "upsert" && value !== null)
    if (told.length === 0) return
    await this.#codes.settle((asking) => {
      for (const { input, key, value } of told)
        if (input === "studies") this.#study(asking, key, value as Study)
        else this.#instance(asking, key, value as DicomInstance)
    })
  }

  #study(
    asking: Asking,
    key: string,
    { studyInstanceUid, accessionNumber, accessionIssuer }: Study | DicomInstance,
  ): void {
    const { uid, accession } = asking.of(key)
    if (studyInstanceUid !== "") uid(studyInstanceUid)
    if (accessionNumber !== "") accession(this.#issuers.get(accessionIssuer) ?? accessionIssuer, accessionNumber)
  }

  #instance(asking: Asking, key: string, value: DicomInstance): void {
    this.#study(asking, key, value)
    const { uid } = asking.of(key)
    for (const one of [value.seriesInstanceUid, value.sopInstanceUid]) if (one !== "") uid(one)
    const [id, issuer] = [value.patientId.trim(), value.issuerOfPatientId.trim()]
    const namespace = this.#namespaces.get(issuer) ?? `dicom:${issuer}`
    if (id !== "") asking.note(key, [{ namespace, value: id }])
  }
}
