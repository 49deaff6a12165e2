import type { RecordType } from "../../core/index.ts"
import type { ZoneOffset } from "../../formats/fhir/time.ts"
import { codePredicate, codesOf } from "./codes.ts"
import type { Code } from "./codes.ts"
import { fieldPredicate } from "./field.ts"
import type { Condition } from "./options.ts"

/** A record's value, and its codes, read once and only when they are asked for. */
export interface Subject {
  readonly value: unknown
  codes(read: (value: unknown) => readonly Code[]): readonly Code[]
}

/** Makes a {@link Subject}. */
export function subjectOf(value: unknown): Subject {
  let codes: readonly Code[] | undefined
  return { value, codes: (read) => (codes ??= read(value)) }
}

export type Predicate = (subject: Subject) => boolean

/** What conditions are compiled for. */
export interface Records {
  /** Name of the record type. */
  readonly name: string
  /** Undefined for record types of packages. */
  readonly type: RecordType | undefined
  readonly zone: ZoneOffset
}

/** Compiles a condition for the records of one type.
 * @param at path of the condition in the options
 * @throws fatal `unknown-field`, `wrong-type`, `date-unreadable`, `no-codes` */
export function predicateOf(condition: Condition, records: Records, at: string): Predicate {
  const { all, any, not, field, code } = condition
  const each = (list: readonly Condition[], name: string) =>
    list.map((one, index) => predicateOf(one, records, `${at}.${name}[${index}]`))
  if (all !== undefined) {
    const parts = each(all, "all")
    return (subject) => parts.every((part) => part(subject))
  }
  if (any !== undefined) {
    const parts = each(any, "any")
    return (subject) => parts.some((part) => part(subject))
  }
  if (not !== undefined) {
    const part = predicateOf(not, records, `${at}.not`)
    return (subject) => !part(subject)
  }
  if (code !== undefined) {
    const [read, test] = [codesOf(records.name, `${at}.code`), codePredicate(code)]
    return (subject) => subject.codes(read).some(test)
  }
  const test = fieldPredicate({ ...condition, field: field! }, records.type, records.zone, at)
  return ({ value }) => test(value)
}
