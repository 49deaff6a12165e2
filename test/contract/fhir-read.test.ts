import { describe, expect, it } from "vitest"
import { hasDuplicateKeys } from "../../formats/fhir/duplicate-keys.ts"
import { FhirReadError, readResource } from "../../formats/fhir/read.ts"

describe("names that an object states twice", () => {
  it.each([
    ['{"a":1,"a":2}'],
    ['{"a":1 , "b":{} , "a"\n:2}'],
    ['{"x":[{"a":1},{"a":1,"a":1}]}'],
    ['{"\\u0061":1,"a":2}'],
    ['{"a\\"b":1,"a\\"b":2}'],
    ['{"a":"\\\\","b":1,"b":2}'],
    ['{"__proto__":1,"__proto__":2}'],
    ['{"":1,"":2}'],
  ])("finds them in %s", (text) => expect(hasDuplicateKeys(text)).toBe(true))

  it.each([
    ["{}"],
    ['{"a":{"a":{"a":1}},"b":[{"a":1},{"a":2}]}'],
    ['{"a":"a","b":"a","c":["a","a"]}'],
    ['{"a":"{\\"a\\":1,\\"a\\":2}","b":"}{[]:\\\\"}'],
    ['{"a":"x\\\\\\"","b":"\\"a\\":"}'],
    ['{"a":[["a","a"],"a"],"A":1}'],
  ])("finds none in %s", (text) => expect(hasDuplicateKeys(text)).toBe(false))
})

it("says why a text is no resource, and nothing of what it says", () => {
  const why = (text: string) => {
    try {
      return readResource(Buffer.from(text))?.resourceType
    } catch (error) {
      expect((error as Error).message).not.toContain("Alva")
      return error instanceof FhirReadError ? error.code : error
    }
  }
  expect(
    [
      '{"resourceType":"Basic"}',
      '{"Alva"',
      '["Alva"]',
      "null",
      '"Alva"',
      "{}",
      '{"resourceType":["Basic"]}',
      " \n",
    ].map(why),
  ).toEqual([
    "Basic",
    "not-json",
    "not-an-object",
    "not-an-object",
    "not-an-object",
    "no-resource-type",
    "no-resource-type",
    undefined,
  ])
})
