import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Scheduler from "effect/Scheduler"
import type { SimProcess, SimWorld } from "./world.ts"

/** How long the engine sleeps between two looks at whether it is done. */
const pollMs = 50

/** Runs an effect in the world's time and by its dice; the signal interrupts it. */
export function runIn<A, E>(
  world: SimWorld,
  process: SimProcess,
  effect: Effect.Effect<A, E>,
  signal: AbortSignal,
): Promise<A> {
  return Effect.runPromise(
    effect.pipe(
      Effect.provideService(Clock.Clock, clockOf(world, process)),
      Effect.provideService(Random.Random, randomOf(world)),
      Effect.provideService(Scheduler.Scheduler, new Scheduler.MixedScheduler("sync")),
    ),
    { signal },
  )
}

function clockOf(world: SimWorld, process: SimProcess): Clock.Clock {
  const millis = () => world.now
  const nanos = () => BigInt(world.now) * 1_000_000n
  return {
    currentTimeMillisUnsafe: millis,
    currentTimeMillis: Effect.sync(millis),
    currentTimeNanosUnsafe: nanos,
    currentTimeNanos: Effect.sync(nanos),
    monotonicTimeNanosUnsafe: nanos,
    monotonicTimeNanos: Effect.sync(nanos),
    sleep: (duration) =>
      Effect.callback<void>((resume) => {
        const ms = Duration.toMillis(duration)
        const look = ms === pollMs
        if (look) process.looksAgain = true
        // The time between two looks is no promise: it may be long.
        const at = world.now + (look ? ms << (1 + world.dice.below(6)) : ms)
        const ring = () => {
          if (look) process.looksAgain = false
          resume(Effect.void)
        }
        return Effect.sync(world.alarm(process, at, ring))
      }),
  }
}

const randomOf = (world: SimWorld) => ({
  nextIntUnsafe: () => world.dice.below(2 ** 31),
  nextDoubleUnsafe: () => world.dice.next(),
})
