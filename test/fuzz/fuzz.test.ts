import { existsSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { filesOf } from "./base.ts"
import { Dice } from "../sim/dice.ts"
import { generated } from "./base.ts"
import { mutations, structural } from "./mutate.ts"
import { trial } from "./trial.ts"

const folder = "../shared/data/dicom"
const seed = 20_260

describe("mutated files through the de-identifier", () => {
  it(`neither crash, nor leak the planted person, nor come out unreadable (seed ${seed})`, () => {
    const bases = filesOf(folder)
    const verdicts = new Map<string, number>()
    for (let number = 0; number < 1500; number++) {
      const { verdict, fault } = trial(bases, seed, number)
      expect(fault, `npm run fuzz -- --seed ${seed} --only ${number}`).toBeUndefined()
      verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1)
    }
    // It would find nothing where all is refused at once.
    expect(verdicts.get("released")).toBeGreaterThan(100)
    expect(verdicts.get("unparsable")).toBeGreaterThan(100)
  })

  it("begin as files with the planted person in them", () => {
    const dice = new Dice(1)
    for (let round = 0; round < 20; round++) expect(generated(dice).header.length).toBeGreaterThan(300)
    if (existsSync(folder)) expect(filesOf(folder).length).toBeGreaterThan(50)
    expect(Object.keys(mutations).length + Object.keys(structural).length).toBeGreaterThan(15)
  })
})
