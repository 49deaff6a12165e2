import { describe, expect, it } from "vitest"
import { completeThrough, fold, noFacts } from "../../core/engine/facts.ts"
import { compile } from "../../core/pipeline/compile.ts"
import { pluginSet } from "../../core/pipeline/plugins.ts"
import { dicomFolder } from "../../connectors/dicom/index.ts"
import { fhirNdjson } from "../../connectors/fhir/index.ts"
import { resolvePatient } from "../../transforms/identity/index.ts"

const file = `
name: two-feeds
secrets: { identity-key: { env: KEY } }
identity: [{ namespace: mrn, dicom-issuer: [""], fhir-system: ["urn:mrn"] }]
sources:
  inbox: { use: dicom-folder, with: { path: in }, to: images }
  clinic: { use: fhir-ndjson, with: { path: clinic }, to: records }
  ward: { use: fhir-ndjson, with: { path: ward }, to: records }
stages:
  identify: { from: { dicom: images, fhir: records }, through: [{ use: resolve-patient }], to: people }
`
const pipeline = compile("two-feeds.yaml", file, {
  plugins: pluginSet([dicomFolder, fhirNdjson, resolvePatient]),
  environment: {},
})
const topics = ["images", "records"].map((name) => pipeline.topics.get(name)!)
const declare = (source: string, feed: string, through: number) => ({
  kind: "complete" as const,
  writer: `source/${source}`,
  feed: `${source}/${feed}`,
  through,
  at: { topic: "records", partition: 0, offset: 0n },
})

describe("how far feeds are complete", () => {
  it("is not told by one source for another: what declared nothing may still bring anything", () => {
    const facts = noFacts()
    expect(completeThrough(facts, topics, pipeline)).toEqual(
      new Map([
        ["inbox/dicom", -Infinity],
        ["clinic/*", -Infinity],
        ["ward/*", -Infinity],
      ]),
    )
    fold(facts, declare("clinic", "*", 5))
    expect(completeThrough(facts, topics, pipeline).get("clinic/*")).toBe(5)
    expect(completeThrough(facts, topics, pipeline).get("ward/*")).toBe(-Infinity)
    fold(facts, declare("ward", "*", 3))
    expect(completeThrough(facts, topics, pipeline).get("ward/*")).toBe(3)
  })

  it("never goes back", () => {
    const facts = noFacts()
    expect(fold(facts, declare("clinic", "*", 5))).toBe(true)
    expect(fold(facts, declare("clinic", "*", 4))).toBe(false)
    expect(completeThrough(facts, topics, pipeline).get("clinic/*")).toBe(5)
  })
})
