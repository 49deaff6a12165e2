import * as fc from "fast-check"
import { expect, it } from "vitest"
import { personKey } from "../../core/index.ts"
import type { DicomInstance, Draft, FhirResource, PersonEvent } from "../../core/index.ts"
import { canonical } from "../../transforms/identity/canonical.ts"
import type { Row } from "../../transforms/identity/facts.ts"
import { resolvePatient } from "../../transforms/identity/index.ts"
import { memoryState, record, runStateful, testContext } from "../kit/index.ts"
import type { MemoryState } from "../kit/index.ts"

const key = new Uint8Array(32).fill(1)
const context = () =>
  testContext({
    identity: {
      namespaces: [
        { namespace: "mrn", dicomIssuers: ["HOSP"], fhirSystems: ["urn:mrn"] },
        { namespace: "clinic", dicomIssuers: ["CLINIC"], fhirSystems: ["urn:clinic"] },
      ],
      key: () => key,
    },
  })

const small = fc.constantFrom("1", "2", "3", "4")
const version = fc.integer({ min: 1, max: 3 })

const patient = fc
  .record({
    id: small,
    version,
    mrn: fc.option(small, { nil: undefined }),
    clinic: fc.option(small, { nil: undefined }),
    link: fc.option(fc.tuple(fc.constantFrom("replaced-by", "replaces"), small), { nil: undefined }),
    birthDate: fc.option(fc.constantFrom("1980", "1990-01-02"), { nil: undefined }),
    op: fc.constantFrom("upsert" as const, "upsert" as const, "upsert" as const, "retract" as const),
    source: fc.constantFrom("a", "b"),
  })
  .map((given) => {
    const identifier = [
      ...(given.mrn === undefined ? [] : [{ system: "urn:mrn", value: given.mrn }]),
      ...(given.clinic === undefined ? [] : [{ system: "urn:clinic", value: given.clinic }]),
    ]
    const link =
      given.link === undefined ? [] : [{ type: given.link[0], other: { reference: `Patient/${given.link[1]}` } }]
    const resource = { resourceType: "Patient", id: given.id, identifier, link, birthDate: given.birthDate }
    return arrival(given.source, `Patient/${given.id}`, resource, given.version, given.op)
  })

const observation = fc
  .record({
    id: small,
    version,
    subject: fc.constantFrom("1", "2", "3", "4", ""),
    status: fc.constantFrom("final", "amended"),
    source: fc.constantFrom("a", "b"),
  })
  .map(({ id, version, subject, status, source }) =>
    arrival(
      source,
      subject === "" ? "" : `Patient/${subject}`,
      { resourceType: "Observation", id, status, subject: { reference: `Patient/${subject}` } },
      version,
    ),
  )

const instance = fc
  .record({
    sop: small,
    version,
    patientId: fc.constantFrom("", "1", "2", "3"),
    issuer: fc.constantFrom("HOSP", "CLINIC", "?"),
  })
  .map(({ sop, version, patientId, issuer }) => {
    const value = {
      object: {
        key: `k/${sop}-${patientId}-${issuer}`,
        size: 1,
        sha256: `${sop}-${patientId}-${issuer}`,
        transferSyntax: "1",
      },
      sopInstanceUid: sop,
      studyInstanceUid: "9",
      patientId,
      issuerOfPatientId: issuer,
      studyDate: "20200101",
      studyTime: null,
      timezoneOffset: null,
    } as unknown as DicomInstance
    return record({ key: "9", id: sop, version: BigInt(version), value }, "dicom")
  })

function arrival(
  source: string,
  key: string,
  resource: { readonly resourceType: string; readonly id: string; readonly [element: string]: unknown },
  version: number,
  op: "upsert" | "retract" = "upsert",
) {
  const { resourceType, id } = resource
  const value = {
    source,
    resourceType,
    resourceId: id,
    versionId: null,
    lastUpdated: null,
    body: JSON.stringify(resource),
    file: "f",
    line: 1,
  }
  return record({ key, id: `${resourceType}/${id}`, op, version: BigInt(version), value }, "fhir")
}

type Arrival = ReturnType<typeof record>
type Final = Map<string, { readonly draft: Draft; readonly value: unknown }>

/** Shared state that may only be touched under the locks of one step. */
function underLock(state: MemoryState): MemoryState {
  const locked = new Set<string>()
  const check = (keys: readonly string[]) => {
    for (const one of keys) if (!locked.has(one)) throw new Error("a row of shared state was touched without its lock")
  }
  const { shared } = state
  return {
    ...state,
    shared: {
      lock: async (keys) => keys.forEach((one) => locked.add(one)),
      get: (keys) => (check(keys.map(([one]) => one)), shared.get(keys)),
      scan: (ranges) => (check(ranges.map((range) => range.key)), shared.scan(ranges)),
      put: (rows) => (check(rows.map(([one]) => one)), shared.put(rows)),
      delete: (keys) => (check(keys.map(([one]) => one)), shared.delete(keys)),
    },
  }
}

/** Runs chunks on two tasks in turn; gives the newest draft of each row, as a reader keeps it. */
async function run(
  batches: readonly (readonly Arrival[])[],
): Promise<{ final: Final; revisions: Map<string, bigint[]> }> {
  const first = memoryState()
  const states = [first, { ...memoryState(), shared: first.shared } as MemoryState]
  const made = await Promise.all(states.map(() => resolvePatient.create({}, context())))
  const final: Final = new Map()
  const revisions = new Map<string, bigint[]>()
  for (const [at, batch] of batches.entries()) {
    const { emitted } = await runStateful(made[at % 2]!, underLock(states[at % 2]!), batch as never)
    for (const { draft } of emitted) {
      const row = `${draft.key} ${draft.id}`
      revisions.set(row, [...(revisions.get(row) ?? []), draft.version])
      const { sourceVersion: _, ...value } = (draft.value ?? {}) as PersonEvent
      final.set(row, { draft, value })
    }
  }
  expectCounted(states)
  return { final, revisions }
}

/** The tasks' counts of references, together, are the rows whose standing facts name an object. */
function expectCounted(states: readonly MemoryState[]): void {
  const counted = new Map<string, number>()
  for (const { references } of states)
    for (const [slot, by] of references) counted.set(slot, (counted.get(slot) ?? 0) + by)
  const named = new Map<string, number>()
  for (const [row, text] of states[0]!.dump()) {
    if (!row.startsWith("1/row/")) continue
    const { facts } = JSON.parse(text) as Row
    const keys = Object.values(facts).flatMap(({ op, instance }) =>
      op === "upsert" && instance ? [instance.object.key] : [],
    )
    for (const key of new Set(keys)) named.set(`phi/${key}`, (named.get(`phi/${key}`) ?? 0) + 1)
  }
  expect(new Map([...counted].filter(([, by]) => by !== 0))).toEqual(named)
}

const standing = (final: Final): string[] =>
  [...final]
    .flatMap(([row, { draft, value }]) => (draft.op === "upsert" ? [`${row} ${JSON.stringify(value)}`] : []))
    .sort()

/** The newest of each record; of equal versions an upsert over a retract, then the greater content. */
function newest(all: readonly Arrival[]): readonly Arrival[] {
  const found = new Map<string, Arrival>()
  const order = (one: Arrival) => {
    const value = one.value as Partial<FhirResource & DicomInstance>
    const content = value.body === undefined ? value.object!.sha256 : canonical(value.body)
    return [String(one.version), one.op === "upsert" && one.key !== "" ? "1" : "0", `${content} ${one.key}`]
  }
  for (const one of all) {
    const slot = `${(one.value as FhirResource).source} ${one.input} ${one.id}`
    const rival = found.get(slot)
    if (rival === undefined || order(one).join("\u0001") > order(rival).join("\u0001")) found.set(slot, one)
  }
  return [...found.values()].filter(({ op }) => op === "upsert")
}

/** The plain definition, without state: which row stands under which person, from the newest records alone. */
function expected(all: readonly Arrival[]): string[] {
  const current = newest(all)
  const edges: [string, string][] = []
  const known = new Set<string>()
  for (const { value, input } of current) {
    if (input === "dicom" || (value as FhirResource).resourceType !== "Patient") continue
    const { source, resourceId, body } = value as FhirResource
    const own = `fhir:${source} ${resourceId}`
    known.add(own)
    const { identifier, link } = JSON.parse(body) as {
      identifier: { system: string; value: string }[]
      link: { other: { reference: string } }[]
    }
    for (const { system, value: id } of identifier) edges.push([own, `${system.slice(4)} ${id}`])
    for (const { other } of link) edges.push([own, `fhir:${source} ${other.reference.slice(8)}`])
  }
  const personOf = (member: string): string => {
    const set = new Set([member])
    for (let size = 0; size < set.size;) {
      size = set.size
      for (const [a, b] of edges) if (set.has(a) || set.has(b)) set.add(a).add(b)
    }
    const rank = (one: string) => `${one.startsWith("mrn ") ? 0 : one.startsWith("clinic ") ? 1 : 2} ${one}`
    const [namespace, value] = [...set].sort((a, b) => (rank(a) < rank(b) ? -1 : 1))[0]!.split(" ")
    return personKey(key, namespace!, value!)
  }
  const rows = current.flatMap((one) => {
    if (one.input === "dicom") {
      const { patientId, issuerOfPatientId, sopInstanceUid } = one.value as DicomInstance
      const namespace = { HOSP: "mrn", CLINIC: "clinic" }[issuerOfPatientId]
      const member = namespace === undefined || patientId === "" ? "study 9" : `${namespace} ${patientId}`
      return [`${personOf(member)} instance/dicom/${sopInstanceUid}`]
    }
    const { source, resourceType, resourceId } = one.value as FhirResource
    const member = `fhir:${source} ${one.key.slice(8)}`
    if (!known.has(member)) return []
    return [`${personOf(member)} ${resourceType === "Patient" ? "person" : "resource"}/${resourceType}/${resourceId}`]
  })
  return [...new Set(rows)].sort()
}

const history = fc.array(fc.oneof(patient, patient, observation, instance), { maxLength: 25 })

it("any order, chunks, repeats and division between tasks end with the people that the newest records say, and revisions have no gap", async () => {
  await fc.assert(
    fc.asyncProperty(history, fc.infiniteStream(fc.nat()), fc.integer({ min: 1, max: 8 }), async (all, dice, size) => {
      const shuffled = [...all, ...all.slice(0, 5).map((one) => ({ ...one }))]
        .map((one) => [dice.next().value as number, one] as const)
        .sort(([a], [b]) => a - b)
        .map(([, one]) => one)
      const chunks = Array.from({ length: Math.ceil(shuffled.length / size) }, (_, at) =>
        shuffled.slice(at * size, (at + 1) * size),
      )
      const [whole, parts] = [await run([all]), await run(chunks)]
      expect(standing(parts.final)).toEqual(standing(whole.final))
      const rows = [...parts.final].filter(([, { draft }]) => draft.op === "upsert").map(([row]) => row)
      expect(rows.sort()).toEqual(expected(all))
      for (const numbers of parts.revisions.values()) expect(numbers).toEqual(numbers.map((_, at) => BigInt(at + 1)))
    }),
    { numRuns: 400 },
  )
})
