import * as fc from "fast-check"
import { expect, it } from "vitest"
import { ByteSearch } from "../../core/canary/search.ts"
import { spellingsOf } from "../../core/canary/spellings.ts"
import { makeCanary } from "../../cli/canary/make.ts"
import { canaryKinds } from "../../core/canary/canary.ts"

const canary = makeCanary("property", 1)
const needles = canaryKinds.flatMap((kind) =>
  spellingsOf(kind, canary.identifiers[kind]).map((each) => ({ kind, ...each })),
)
const search = new ByteSearch(canaryKinds.map((kind) => [kind, spellingsOf(kind, canary.identifiers[kind])] as const))
/** Bytes that end and begin no number. */
const letters = (size: number) =>
  fc
    .uint8Array({ minLength: 0, maxLength: size })
    .map((bytes) => bytes.map((byte) => (byte >= 0x30 && byte <= 0x39 ? 0x2f : byte)))

async function* pieces(bytes: Uint8Array, sizes: readonly number[]) {
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length]!
    yield bytes.subarray(at, at + size)
    at += size
  }
}

/** What comes through, or the needle at which it ends. */
async function through(bytes: Uint8Array, sizes: readonly number[]): Promise<{ found: unknown; passed: number }> {
  let [found, passed] = [undefined as unknown, 0]
  try {
    for await (const piece of search.through(pieces(bytes, sizes), (needle) => {
      found = needle
      throw new Error("found")
    }))
      passed += piece.length
  } catch (error) {
    if ((error as Error).message !== "found") throw error
  }
  return { found, passed }
}

it("every spelling of every identifier is found at any place between any bytes, in either case", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...needles),
      letters(400),
      letters(400),
      fc.boolean(),
      (needle, before, after, upper) => {
        const text = Buffer.from(needle.bytes).toString("latin1")
        const told = upper ? text.replaceAll(/[a-z]/g, (letter) => letter.toUpperCase()) : text
        const bytes = Buffer.concat([before, Buffer.from(told, "latin1"), after])
        expect(search.in(bytes)).toBeDefined()
      },
    ),
    { numRuns: 5000 },
  )
})

it("an identifier in pieces of any size is found before its last piece is passed on", async () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 5 })
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...needles),
      letters(200),
      letters(200),
      sizes,
      async (needle, before, after, cut) => {
        const bytes = Buffer.concat([before, needle.bytes, after])
        const { found, passed } = await through(bytes, cut)
        expect(found).toBeDefined()
        // A number is whole only when what follows is no digit.
        expect(passed).toBeLessThan(bytes.length + (after.length === 0 && needle.bounded ? 1 : 0))
      },
    ),
    { numRuns: 1000 },
  )
})

it("nothing is found where nothing is, and pieces come through as they are", async () => {
  const noise = fc.uint8Array({ minLength: 0, maxLength: 5000 })
  await fc.assert(
    fc.asyncProperty(noise, fc.integer({ min: 1, max: 700 }), async (bytes, size) => {
      expect(search.in(bytes)).toBeUndefined()
      expect(await through(bytes, [size])).toEqual({ found: undefined, passed: bytes.length })
    }),
    { numRuns: 500 },
  )
})

it("eight digits of a longer number are no birth date", () => {
  const day = canary.identifiers["birth-date"].replaceAll("-", "")
  expect(search.in(Buffer.from(`2.25.9${day}1.4`))).toBeUndefined()
  expect(search.in(Buffer.from(`<${day}>`))).toBe("birth-date")
  expect(search.in(Buffer.from(day))).toBe("birth-date")
})

it("is the same for the same seed, and shares nothing with another", () => {
  expect(makeCanary("property", 1)).toEqual(canary)
  for (const other of [makeCanary("property", 2), makeCanary("another", 1)])
    for (const kind of canaryKinds)
      if (kind !== "birth-date") expect(other.identifiers[kind]).not.toBe(canary.identifiers[kind])
})
