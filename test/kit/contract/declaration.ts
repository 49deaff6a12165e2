import { beforeAll, describe, expect, it } from "vitest"
import type { AnyPlugin } from "../../../core/index.ts"
import { decodeOptions, optionsJsonSchema } from "../../../core/index.ts"
import type { World } from "./cases.ts"
import { inWorld } from "./world.ts"

interface JsonSchema {
  readonly allOf?: readonly JsonSchema[]
  readonly description?: string
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly items?: JsonSchema
  readonly anyOf?: readonly JsonSchema[]
  readonly additionalProperties?: unknown
}

const isDescribed = ({ description = "", allOf = [] }: JsonSchema): boolean =>
  description.trim() !== "" || allOf.some(isDescribed)

/** Paths of options, at every depth, that say nothing of themselves. */
function undescribed(schema: JsonSchema, path = ""): string[] {
  const own = Object.entries(schema.properties ?? {}).flatMap(([name, option]) => [
    ...(!isDescribed(option) ? [`${path}${name}`] : []),
    ...undescribed(option, `${path}${name}.`),
  ])
  const inner = [...(schema.anyOf ?? []), ...(schema.items === undefined ? [] : [schema.items])]
  return [...own, ...inner.flatMap((part) => undescribed(part, path))]
}

/** What every declaration promises: names, words, and options that are checked. */
export function declarationContract(
  plugin: AnyPlugin,
  cases: readonly { open(): World | Promise<World>; readonly canaries: readonly string[] }[],
): void {
  describe("its declaration", () => {
    let options: Readonly<Record<string, unknown>>
    beforeAll(async () => {
      if (cases[0] === undefined) throw new Error(`the contract of ${plugin.name} needs a case`)
      await inWorld(cases[0], async (world) => {
        options = world.options as typeof options
      })
    })

    it("has a kebab-case name and a summary of one line", () => {
      expect(plugin.name).toMatch(/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/)
      expect(plugin.summary.trim()).not.toBe("")
      expect(plugin.summary).not.toMatch(/\n/)
      expect(plugin.summary.length).toBeLessThanOrEqual(160)
    })

    it("gives its options as JSON Schema, each with a description", () => {
      const schema = optionsJsonSchema(plugin) as JsonSchema & { readonly type?: string }
      expect(schema.type).toBe("object")
      expect(schema.additionalProperties, "editors mark unknown options").toBe(false)
      expect(undescribed(schema), "options without a description").toEqual([])
    })

    it("takes the options of its cases", async () => {
      for (const each of cases)
        await inWorld(each, async (world) => expect(decodeOptions(plugin, world.options).faults).toEqual([]))
    })

    it("refuses options that it does not know, and reports every fault at once", () => {
      const given = { ...options, "no-such-option": 1, "nor-this": { deep: true } }
      const paths = decodeOptions(plugin, given).faults.map(({ path }) => path.join("."))
      expect(paths.toSorted()).toEqual(["no-such-option", "nor-this"])
    })

    it("tells a fault of an option without the value that was given", () => {
      const value = "value-7291-of-nothing"
      for (const name of Object.keys((optionsJsonSchema(plugin) as JsonSchema).properties ?? {}))
        for (const wrong of [{ [value]: value }, [[[value]]]])
          for (const { message } of decodeOptions(plugin, { ...options, [name]: wrong }).faults)
            expect(message.includes(value), `the message for ${name} holds the value`).toBe(false)
    })

    it("is tried with planted private values", () => {
      expect(cases.flatMap(({ canaries }) => canaries)).not.toEqual([])
    })
  })
}
