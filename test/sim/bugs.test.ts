import { describe, expect, it } from "vitest"
import { plantedBugs } from "./bugs.ts"
import type { BugName } from "./bugs.ts"
import { runSeed } from "./run.ts"

/** Within so many seeds each bug has to be found. */
const most = 1000

describe("the seeds find a planted bug:", () => {
  it.each(Object.keys(plantedBugs) as BugName[])(
    "%s",
    async (name) => {
      let seed = 1
      let found = await runSeed(seed, plantedBugs[name])
      while (found.broken.length === 0 && seed < most) found = await runSeed(++seed, plantedBugs[name])
      expect(found.broken, `none of ${most} seeds found ${name}`).not.toEqual([])
      // It is the bug that they find: without it nothing is broken under the same seed.
      expect((await runSeed(seed)).broken, `seed ${seed} without the bug`).toEqual([])
    },
    300_000,
  )
})
