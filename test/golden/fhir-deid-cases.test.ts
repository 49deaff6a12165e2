import { existsSync, readFileSync, readdirSync } from "node:fs"
import { join, resolve } from "node:path"
import { describe, expect, it } from "vitest"
import type { CuratedResource, PersonEvent } from "../../core/index.ts"
import { deidentifyFhir } from "../../transforms/deidentify/fhir.ts"
import { MemoryVault, record, runTransform, testContext } from "../kit/index.ts"

const data = resolve(process.env["WEIR_TEST_DATA"] ?? "../shared/data", "fhir-deid/functional-tests-resources")
const present = existsSync(data)
if (!present) console.warn(`skipped: no test data at ${data}; set WEIR_TEST_DATA to the folder that holds it`)

type Json = Record<string, unknown>
type Profile = "shifted" | "safe-harbor"

/** Why Weir's output is another than what the tool that a case was made for gives; docs/decisions/0046-profiles.md says more. */
const reasons = {
  tag: "the tool writes into meta.security what it did; Weir's records say their profile, and meta does not pass",
  id: "the tool hashes ids under a key of its own; Weir gives the project's codes, and refers to persons by their pseudonym",
  shift: "the tool moves dates by another number of days, and sets their times to zero",
  unlisted:
    "the case keeps an element that may hold names or free text, or is about somebody else: not in the allow-list",
  reference: "practitioners, organizations and coverages do not pass, so nothing refers to them",
  text: "displays, texts and narratives are free text in practice and go",
  place: "the tool keeps any text as a State and writes 12300 for ZIP3; Weir keeps what is a State, and writes 123",
  made: "the case puts values of its own in the place of some; Weir makes nothing up",
  masked: "what R4 demands and may not be told says so, by the extension data-absent-reason",
  code: "the case takes codes of published systems away, or what names nobody; Weir keeps them",
} as const
type Reason = keyof typeof reasons

interface Case {
  readonly profile: Profile
  /** Types in it that Weir does not release (`refused.resource-type`); a Bundle is split by the source. */
  readonly refused?: readonly string[]
  readonly differs: readonly Reason[]
}

/** Every case. */
const cases: Readonly<Record<string, Case>> = {
  "R4OnlyResource/Account-R4": { profile: "shifted", refused: ["Account"], differs: [] },
  "R4OnlyResource/Claim-R4": {
    profile: "shifted",
    differs: ["code", "id", "masked", "reference", "shift", "tag", "unlisted"],
  },
  "R4OnlyResource/Contract-R4": { profile: "shifted", refused: ["Contract"], differs: [] },
  "R4OnlyResource/MedicinalProduct": { profile: "shifted", refused: ["MedicinalProduct"], differs: [] },
  "R4OnlyResource/OrganizationAffiliation": { profile: "shifted", refused: ["OrganizationAffiliation"], differs: [] },
  "R4OnlyResource/ServiceRequest": {
    profile: "shifted",
    differs: ["code", "id", "reference", "shift", "tag", "unlisted"],
  },
  "Stu3OnlyResource/Account-Stu3": { profile: "shifted", refused: ["Account"], differs: [] },
  "Stu3OnlyResource/Claim-Stu3": {
    profile: "shifted",
    differs: ["code", "id", "masked", "reference", "shift", "tag", "unlisted"],
  },
  "Stu3OnlyResource/Contract-Stu3": { profile: "shifted", refused: ["Contract"], differs: [] },
  "Stu3OnlyResource/DeviceComponent": { profile: "shifted", refused: ["DeviceComponent"], differs: [] },
  "Stu3OnlyResource/ProcessRequest": { profile: "shifted", refused: ["ProcessRequest"], differs: [] },
  "Stu3OnlyResource/ProcessResponse": { profile: "shifted", refused: ["ProcessResponse"], differs: [] },
  "bundle-basic": { profile: "shifted", differs: ["id", "tag", "text", "unlisted"] },
  "bundle-empty": { profile: "shifted", differs: [] },
  "bundle-redact-all": { profile: "safe-harbor", differs: ["code", "id", "tag"] },
  "bundle-substitute": { profile: "shifted", differs: ["id", "made", "tag", "text", "unlisted"] },
  "bundle-without-entry-resource": { profile: "shifted", differs: [] },
  "condition-empty": { profile: "shifted", differs: ["id", "tag"] },
  "contained-basic": { profile: "shifted", differs: ["id", "reference", "tag", "unlisted"] },
  "contained-in-bundle": { profile: "shifted", differs: ["id", "reference", "tag", "unlisted"] },
  "contained-in-bundle-redact-all": { profile: "safe-harbor", differs: ["id", "tag", "unlisted"] },
  "contained-redact-all": { profile: "safe-harbor", differs: ["id", "tag", "unlisted"] },
  "contained-substitute": { profile: "shifted", differs: ["id", "made", "reference", "tag", "unlisted"] },
  "patient-basic": { profile: "shifted", differs: ["id", "place", "reference", "shift", "tag", "text", "unlisted"] },
  "patient-empty": { profile: "shifted", differs: ["id", "tag"] },
  "patient-generalize": {
    profile: "shifted",
    differs: ["id", "made", "place", "reference", "shift", "tag", "text", "unlisted"],
  },
  "patient-no-partial": { profile: "safe-harbor", differs: ["id", "place", "reference", "tag", "text", "unlisted"] },
  "patient-null-date": {
    profile: "shifted",
    differs: ["id", "place", "reference", "shift", "tag", "text", "unlisted"],
  },
  "patient-redact-all": { profile: "safe-harbor", differs: ["code", "id", "place", "tag"] },
  "patient-special-content": { profile: "shifted", differs: ["id", "place", "shift", "tag", "text", "unlisted"] },
  "patient-substitute-complex": {
    profile: "shifted",
    differs: ["id", "made", "place", "reference", "tag", "text", "unlisted"],
  },
  "patient-substitute-conflict-rules": {
    profile: "shifted",
    differs: ["id", "made", "place", "reference", "tag", "text", "unlisted"],
  },
  "patient-substitute-multiple": {
    profile: "shifted",
    differs: ["id", "made", "place", "reference", "tag", "text", "unlisted"],
  },
  "patient-substitute-multiple-2": {
    profile: "shifted",
    differs: ["id", "made", "place", "reference", "tag", "text", "unlisted"],
  },
  "patient-substitute-primitive": {
    profile: "shifted",
    differs: ["id", "made", "place", "reference", "tag", "text", "unlisted"],
  },
}

const read = (name: string): Json => JSON.parse(readFileSync(join(data, name), "utf8").replace(/^\uFEFF/, "")) as Json

/** The input of a case; those that redact everything have none of their own. */
const inputOf = (name: string): string =>
  [name, name.replace("-redact-all", ""), name.replace("-redact-all", "-basic")]
    .map((one) => `${one}.json`)
    .find((file) => existsSync(join(data, file)))!

const files = present ? readdirSync(data, { recursive: true, encoding: "utf8" }) : []
const names = [
  ...new Set(files.filter((name) => name.endsWith(".json")).map((name) => name.replace(/(-target)?\.json$/, ""))),
].sort()

async function deidentified(resource: Json, profile: Profile): Promise<Json | string> {
  const context = testContext({
    secret: () => new Uint8Array(32).fill(5),
    outputs: { out: { topic: "t", zone: "limited" } },
    vault: async () => new MemoryVault(profile === "shifted" ? "keyed" : "random"),
  })
  const made = await deidentifyFhir.create({ key: "k", vault: "v", profile }, context)
  const type = String(resource["resourceType"])
  const value = {
    body: JSON.stringify({ id: "none", ...resource }),
    codes: [],
    identifiers: [],
    birthDate: null,
    flags: [],
  }
  const id = `${type === "Patient" ? "person" : "resource"}/${type}/none`
  const { emitted, failed } = await runTransform(made, [
    record({ key: "p", id, value: value as unknown as PersonEvent }),
  ] as never)
  if (failed.length > 0) return (failed[0]!.error as { code?: string }).code ?? "failed"
  return JSON.parse((emitted[0]!.draft.value as CuratedResource).body) as Json
}

/** The leaves of a value, by path; places in lists are left out of the paths. */
function leaves(value: unknown, path = "", into: (readonly [path: string, value: unknown])[] = []) {
  if (Array.isArray(value)) for (const item of value) leaves(item, path, into)
  else if (typeof value === "object" && value !== null)
    for (const [name, inner] of Object.entries(value)) leaves(inner, path === "" ? name : `${path}.${name}`, into)
  else into.push([path, value])
  return into
}

const dates = /^\d{4}(-\d\d(-\d\d(T.*)?)?)?$/
type Leaf = readonly [path: string, value: unknown]
const told = ([path, value]: Leaf): string => `${path} ${String(value)}`

/** Why the tool gives this leaf and Weir does not. */
function whyMissing(leaf: Leaf, input: ReadonlySet<string>): Reason {
  const [path, value] = leaf
  if (/(^|\.)meta\./.test(path)) return "tag"
  if (/(^|\.)id$/.test(path)) return "id"
  if (path.endsWith("reference")) return /^(Patient|Encounter)\//.test(String(value)) ? "id" : "reference"
  if (/(^|\.)(text|display|div|description|text\.status)$/.test(path)) return "text"
  if (/address\.(state|postalCode)$/.test(path)) return "place"
  if (input.has(told(leaf))) return "unlisted"
  return dates.test(String(value)) && !/name\.period\.(start|end)$/.test(path) ? "shift" : "made"
}

/** Why Weir gives this leaf and the tool does not; undefined for what it should not give. */
function whyExtra(leaf: Leaf, input: ReadonlySet<string>): Reason | undefined {
  const [path, value] = leaf
  if (/(^|\.)id$/.test(path) || /(^|\.)identifier\.(system|value)$/.test(path) || path.endsWith("reference"))
    return "id"
  if (/\.extension\.(url|valueCode)$/.test(path)) return "masked"
  if (/^address\.(state|postalCode)$/.test(path)) return "place"
  if (dates.test(String(value))) return "shift"
  return input.has(told(leaf)) ? "code" : undefined
}

function differences(
  output: Json,
  target: Json,
  input: Json,
): readonly (readonly [what: string, Reason | undefined])[] {
  const [mine, theirs, given] = [output, target, input].map((one) => new Set(leaves(one).map(told))) as [
    Set<string>,
    Set<string>,
    Set<string>,
  ]
  return [
    ...leaves(target).flatMap((leaf) => (mine.has(told(leaf)) ? [] : [[told(leaf), whyMissing(leaf, given)] as const])),
    ...leaves(output).flatMap((leaf) => (theirs.has(told(leaf)) ? [] : [[told(leaf), whyExtra(leaf, given)] as const])),
  ]
}

/** A resource, or those of a Bundle, each with what is expected of it; an empty object where nothing is. */
function partsOf(input: Json, target: Json): readonly (readonly [Json, Json])[] {
  if (input["resourceType"] !== "Bundle") return [[input, target]]
  const expected = (target["entry"] ?? []) as readonly { readonly resource?: Json }[]
  return ((input["entry"] ?? []) as readonly { readonly resource?: Json }[]).flatMap(({ resource }, at) =>
    resource === undefined ? [] : [[resource, expected[at]?.resource ?? {}] as const],
  )
}

/** What Weir makes of a case. */
async function outcome(name: string, profile: Profile) {
  const input = read(inputOf(name))
  const target = existsSync(join(data, `${name}-target.json`)) ? read(`${name}-target.json`) : input
  const refused = new Set<string>()
  const differs = new Map<Reason, string>()
  const unexplained: string[] = []
  for (const [resource, expected] of partsOf(input, target)) {
    const output = await deidentified(resource, profile)
    if (typeof output === "string") {
      expect(output).toBe("refused.resource-type")
      refused.add(String(resource["resourceType"]))
      continue
    }
    for (const [what, reason] of differences(output, expected, resource))
      if (reason === undefined) unexplained.push(what)
      else differs.set(reason, what)
  }
  return { refused: [...refused].sort(), differs: [...differs.keys()].sort(), unexplained }
}

describe.skipIf(!present)("the cases of Microsoft's Tools for Health Data Anonymization, in Weir's options", () => {
  it("are all listed", () => {
    expect(Object.keys(cases).sort()).toEqual(names)
  })

  it.each(Object.entries(cases))("%s comes out as listed, and differs for no other reason", async (name, listed) => {
    const found = await outcome(name, listed.profile)
    if (process.env["WEIR_PRINT_CASES"] !== undefined) console.log(JSON.stringify([name, found]))
    expect(found).toEqual({
      refused: [...(listed.refused ?? [])].sort(),
      differs: [...listed.differs].sort(),
      unexplained: [],
    })
  })

  it("gives no reason that no case has", () => {
    const given = new Set(Object.values(cases).flatMap(({ differs }) => differs))
    expect([...given].sort()).toEqual(Object.keys(reasons).sort())
  })
})
