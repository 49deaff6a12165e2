import { beforeEach, describe, expect, it } from "vitest"
import { personKey } from "../../core/index.ts"
import { eraseAsked } from "../../transforms/identity/erase.ts"
import { resolvePatient } from "../../transforms/identity/index.ts"
import { memberOf } from "../../transforms/identity/members.ts"
import { memoryState, record, runStateful, testContext } from "../kit/index.ts"
import type { MemoryState } from "../kit/index.ts"

const key = new Uint8Array(32).fill(7)
const hospital = "http://hospital.example/mrn"
const person = (value: string) => personKey(key, "mrn", value)
const context = () =>
  testContext({
    identity: { namespaces: [{ namespace: "mrn", dicomIssuers: [""], fhirSystems: [hospital] }], key: () => key },
  })

function fhir(resource: Record<string, unknown>, subject: string, version = 1n) {
  const { resourceType, id } = resource as { resourceType: string; id: string }
  const more = { source: "ehr", versionId: null, lastUpdated: null, file: "f", line: 1 }
  const value = { ...more, resourceType, resourceId: id, body: JSON.stringify(resource) }
  return record({ key: `Patient/${subject}`, id: `${resourceType}/${id}`, version, time: 5, value }, "fhir")
}
const patient = (id: string, mrn?: string, version = 1n) =>
  fhir(
    { resourceType: "Patient", id, ...(mrn === undefined ? {} : { identifier: [{ system: hospital, value: mrn }] }) },
    id,
    version,
  )
const observation = (id: string, of: string) => fhir({ resourceType: "Observation", id }, of)

describe("resolve-patient, asked to erase a person", () => {
  let state: MemoryState
  beforeEach(() => {
    state = memoryState()
  })
  type Out = { op: string; key: string; id: string; version: bigint; time: number }

  /** A new claim, as after a restart, with what it emits before anything else. */
  async function claim() {
    const made = await resolvePatient.create({}, context())
    const emitted: Out[] = []
    const out = {
      emit: (_to: string, _from: unknown, draft: unknown) => void emitted.push(draft as Out),
      dropHeld: () => {},
    }
    await made.onClaim!(out as never, state, { topic: "t", partition: 0, offset: 0n })
    const step = (...batch: ReturnType<typeof fhir>[]) => runStateful(made, state, batch as never)
    return { step, emitted }
  }
  const ask = (mrn: string) => state.shared.put([[eraseAsked, memberOf("mrn", mrn), true]])
  const dumped = () => [...state.dump()].flat().join("\n")

  it("takes back every row of the person, by newer versions, and keeps nothing but keyed hashes", async () => {
    const { step } = await claim()
    await step(patient("a", "100"), patient("b", "200"), observation("o1", "a"), observation("o2", "b"))
    ask("100")
    const { emitted } = await claim()
    expect(emitted.map(({ op, key, id, version, time }) => [op, key, id, version, time])).toEqual(
      expect.arrayContaining([
        ["retract", person("100"), "person/Patient/a", 2n, 5],
        ["retract", person("100"), "resource/Observation/o1", 2n, 5],
      ]),
    )
    expect(emitted).toHaveLength(2)
    expect(dumped()).not.toMatch(/\b100\b|Observation\/o1|Patient\/a\b/)
    expect(dumped()).toMatch(/\b200\b/)
    expect((await claim()).emitted).toEqual([])
  })

  it("drops what comes of the person later, by any identifier, also of a Patient that was not known", async () => {
    const before = await claim()
    await before.step(patient("a", "100"))
    ask("100")
    const { step } = await claim()
    const { dropped, emitted } = await step(patient("a", "100", 9n), observation("o1", "a"), patient("b", "200"))
    expect(dropped.map(({ reason }) => reason)).toEqual(["erased", "erased"])
    expect(emitted).toHaveLength(1)
    // Resources came before the Patient that tells whose they are.
    expect((await step(observation("o3", "c"))).held).toHaveLength(1)
    const { dropped: later } = await step(patient("c", "100"), observation("o4", "c"))
    expect(later.map(({ reason }) => reason).filter((reason) => reason === "erased").length).toBeGreaterThanOrEqual(2)
    expect((await step(observation("o5", "c"))).dropped).toHaveLength(1)
    expect(dumped()).not.toMatch(/Observation\/o[1345]/)
  })

  it("takes back what a Patient had when it turns out to be the erased person", async () => {
    const before = await claim()
    await before.step(patient("a", "100"), patient("c"), observation("o1", "c"))
    ask("100")
    const { step } = await claim()
    const { emitted } = await step(patient("c", "100", 2n))
    expect(emitted.map(({ draft }) => draft.op)).toEqual(["retract", "retract"])
    expect(dumped()).not.toContain("Observation/o1")
  })
})
