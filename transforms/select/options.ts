import { Schema } from "../../core/index.ts"

/** A value that a field may be compared with. */
const Scalar = Schema.Union([Schema.String, Schema.Finite, Schema.Boolean])
const oneOrMore = Schema.Union([Schema.String, Schema.Array(Schema.String)])

/** Codes of a system: all of them, those listed, or those under a code whose hierarchy is in its letters. */
export interface CodeTest {
  readonly system: string | readonly string[]
  readonly in?: readonly string[]
  readonly under?: string | readonly string[]
}

/** What a record must be: exactly one of all, any, not, field and code; the others go with field. */
export interface Condition {
  readonly all?: readonly Condition[]
  readonly any?: readonly Condition[]
  readonly not?: Condition
  readonly field?: string
  readonly in?: readonly (string | number | boolean)[]
  readonly prefix?: string | readonly string[]
  readonly exists?: boolean
  readonly "at-least"?: number
  readonly "at-most"?: number
  readonly before?: string
  readonly after?: string
  readonly code?: CodeTest
}

const kinds = ["all", "any", "not", "field", "code"] as const
/** What a field's values may be asked. */
const tests = ["in", "prefix", "exists", "at-least", "at-most", "before", "after"] as const

/** Code systems whose codes say nothing of what is under them. */
const flat = new Set(["http://snomed.info/sct", "http://loinc.org"])

function fault(condition: Condition): string | undefined {
  const found = kinds.filter((kind) => condition[kind] !== undefined)
  if (found.length !== 1) return `a condition has exactly one of ${kinds.join(", ")}`
  const asked = tests.filter((test) => condition[test] !== undefined)
  if (condition.field === undefined) return asked.length > 0 ? `${asked.join(", ")}: only beside field` : undefined
  if (asked.length === 0) return `field needs one of ${tests.join(", ")}`
  return condition.exists === false && asked.length > 1 ? "exists: false goes with no other test" : undefined
}

const list = <T>(value: T | readonly T[]): readonly T[] =>
  Array.isArray(value) ? (value as readonly T[]) : [value as T]

const codeTest = Schema.Struct({
  system: oneOrMore.annotate({ description: "code system URI, or several" }),
  in: Schema.optionalKey(Schema.Array(Schema.String).annotate({ description: "these codes" })),
  under: Schema.optionalKey(
    oneOrMore.annotate({ description: "codes that begin with this one, as C50 with C50.9 (ICD); dots do not count" }),
  ),
}).check(
  Schema.makeFilter((given: CodeTest) =>
    given.under !== undefined && list(given.system).some((system) => flat.has(system))
      ? "under: codes of SNOMED CT and LOINC do not say what is above them; list them with in"
      : undefined,
  ),
)

const nested = Schema.suspend((): Schema.Codec<Condition> => condition)

/** A condition, as it stands in a pipeline file. */
export const condition: Schema.Codec<Condition> = Schema.Struct({
  all: Schema.optionalKey(Schema.Array(nested)),
  any: Schema.optionalKey(Schema.Array(nested)),
  not: Schema.optionalKey(nested),
  field: Schema.optionalKey(
    Schema.String.annotate({ description: "dotted path of a field; lists on the way are entered: series.modality" }),
  ),
  in: Schema.optionalKey(Schema.Array(Scalar).annotate({ description: "one of these values" })),
  prefix: Schema.optionalKey(oneOrMore.annotate({ description: "begins with this, or one of these" })),
  exists: Schema.optionalKey(Schema.Boolean.annotate({ description: "has a value; an empty text is none" })),
  "at-least": Schema.optionalKey(Schema.Finite),
  "at-most": Schema.optionalKey(Schema.Finite),
  before: Schema.optionalKey(Schema.String.annotate({ description: "ends before this FHIR date or dateTime begins" })),
  after: Schema.optionalKey(Schema.String.annotate({ description: "begins after this FHIR date or dateTime ends" })),
  code: Schema.optionalKey(
    codeTest.annotate({ description: "states such a code, or one that map-codes mapped to it" }),
  ),
})
  .check(Schema.makeFilter(fault))
  .annotate({ identifier: "SelectCondition" })

/** One of `keep` and `drop`. */
export const options = Schema.Struct({
  keep: Schema.optionalKey(condition).pipe(
    Schema.annotateKey({ description: "keep the records for which this holds" }),
  ),
  drop: Schema.optionalKey(condition).pipe(
    Schema.annotateKey({ description: "drop the records for which this holds" }),
  ),
  "time-zone": Schema.optionalKey(
    Schema.String.annotate({
      description: "zone of dates and times that state none: an IANA name, Z or +hh:mm (default Z)",
    }),
  ),
}).check(
  Schema.makeFilter(({ keep, drop }: { readonly keep?: Condition; readonly drop?: Condition }) =>
    (keep === undefined) === (drop === undefined) ? "give one of keep and drop" : undefined,
  ),
)
