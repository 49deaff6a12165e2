import type { Bugs } from "./run.ts"

/** Bugs that can be planted in the ports and plugins of the simulation, by name. */
export const plantedBugs = {
  "commit-before-write": { plugins: { commitBeforeWrite: true } },
  "log-without-fencing": { log: { noFencing: true } },
  "store-without-fencing": { store: { noFencing: true } },
  "sink-without-fencing": { sinkNoFencing: true },
  "old-writer-kept": { log: { keptWriter: true } },
  "outbox-from-sequence": { store: { outboxFromSequence: true } },
  "timers-without-epoch": { store: { timersWithoutEpoch: true } },
  "offset-before-dead-letter": { log: { offsetBeforeDeadLetter: true } },
  "retract-dropped": { plugins: { retractDropped: true } },
  "sweeps-live-objects": { store: { sweepsLive: true } },
  "no-append-number": { log: { noAppendNumber: true } },
  "end-mark-early": { log: { endMarkEarly: true } },
} as const satisfies Readonly<Record<string, Bugs>>

/** The name of one of them. */
export type BugName = keyof typeof plantedBugs
