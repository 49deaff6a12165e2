import { committedStatus } from "../../core/engine/committed-status.ts"
import type { CommittedStatus, HeldStatus, NodeStatus, PartitionStatus } from "../../core/engine/committed-status.ts"
import type { Command } from "../command.ts"
import { jsonOption } from "../command.ts"
import { absentStore } from "../absent-store.ts"
import type { App } from "../app.ts"
import { exit } from "../exit.ts"
import { loadPipeline } from "../load.ts"
import { withRuntime } from "../runtime.ts"
import { columns, json } from "../table.ts"

const time = (ms: number): string => new Date(ms).toISOString()
const pausedJson = (paused: PartitionStatus["paused"]) =>
  paused === undefined
    ? {}
    : { paused: { code: paused.code, since: time(paused.since), nextProbe: time(paused.nextProbe) } }
const pausedNote = (paused: PartitionStatus["paused"]): string[] =>
  paused === undefined
    ? []
    : [`paused: ${paused.code} since ${time(paused.since)}, next probe ${time(paused.nextProbe)}`]

/** What comes again is shown only where something does. */
const isShown = ({ topic, position, head, lag }: PartitionStatus): boolean =>
  !topic.includes(".replay.") || lag > 0n || (position ?? 0n) > 0n || head > 0n

/** What a timer's plugin holds back, and since when. */
const waitingNote = (held: HeldStatus | undefined): string[] =>
  held?.waiting.since === undefined ? [] : [`${held.waiting.entries} pending since ${time(held.waiting.since)}`]

function notes(node: NodeStatus, { partition, topic, ended, paused }: PartitionStatus): string {
  const held = topic.includes(".replay.") ? undefined : node.held.find((each) => each.partition === partition)
  const { quiet, calendar } = held?.timers ?? { quiet: { armed: 0 }, calendar: { armed: 0 } }
  return [
    ...pausedNote(paused),
    ...(held === undefined ? [] : [`epoch ${held.epoch}`]),
    ...(held === undefined || held.pending === 0 ? [] : [`${held.pending} unpublished`]),
    ...waitingNote(held),
    ...(quiet.armed === 0 ? [] : [`${quiet.armed} waiting for quiet`]),
    ...(calendar.armed === 0 ? [] : [`${calendar.armed} waiting for the calendar`]),
    ...(ended ? ["ended"] : []),
  ].join(", ")
}

/** What waits for a person, since when, and what was decided. */
const reviewRows = ({ reviews }: CommittedStatus): string[][] =>
  reviews.map(({ stage, state, count, oldest }) => [
    `  ${stage}`,
    state,
    String(count),
    state === "pending" ? `oldest since ${time(oldest)}` : "",
  ])

function statusText(found: CommittedStatus): string {
  const { sources, nodes, deadLetters, selfChecks, unread } = found
  const from = sources.map(({ name, ended, runs, checkpoints, paused }) => [
    name,
    `${checkpoints} checkpoints`,
    [...pausedNote(paused), ended ? `ended (${runs} times)` : "open"].join(", "),
  ])
  const rows = nodes.flatMap((node) =>
    node.partitions
      .filter(isShown)
      .map((each) => [
        node.name,
        each.topic,
        String(each.partition),
        each.position === undefined ? "" : String(each.position),
        String(each.head),
        String(each.lag),
        String(node.processes),
        notes(node, each),
      ]),
  )
  const dead = [...deadLetters].flatMap(([stage, codes]) =>
    [...codes].map(([code, count]) => [`  ${stage}`, code, String(count)]),
  )
  const alarms = [...selfChecks]
    .filter(([, { alarm }]) => alarm)
    .map(([stage, { hits }]) => [`  ${stage}`, `${hits} hits within the window of the alarm`])
  const refusals = [...unread].map(([what, { code, message }]) => [`  ${what}`, code, message])
  return [
    ...columns(from),
    "",
    ...columns(
      [["", "topic", "partition", "position", "head", "lag", "processes", ""], ...rows],
      new Set([2, 3, 4, 5, 6]),
    ),
    ...(dead.length === 0 ? [] : ["", "dead letters", ...columns(dead, new Set([2]))]),
    ...(alarms.length === 0 ? [] : ["", "the self-check refuses again and again", ...columns(alarms)]),
    ...(found.reviews.length === 0 ? [] : ["", "reviews", ...columns(reviewRows(found), new Set([2]))]),
    ...(unread.size === 0 ? [] : ["", "could not be asked", ...columns(refusals)]),
    "",
  ].join("\n")
}

function statusJson(
  pipeline: string,
  { sources, nodes, deadLetters, selfChecks, reviews, unread }: CommittedStatus,
  at: number,
): string {
  const partition = ({ paused, ...rest }: PartitionStatus) => ({ ...rest, ...pausedJson(paused) })
  const of = (kind: NodeStatus["kind"]) =>
    Object.fromEntries(
      nodes
        .filter((node) => node.kind === kind)
        .map(({ name, processes, partitions, held }) => [
          name,
          {
            processes,
            partitions: partitions.filter(isShown).map(partition),
            ...(held.length === 0
              ? {}
              : {
                  state: held.map(({ partition, epoch, pending, timers, waiting: { entries, since } }) => ({
                    partition,
                    epoch,
                    pending,
                    timers,
                    waiting: { entries, ...(since === undefined ? {} : { since: time(since) }) },
                  })),
                }),
          },
        ]),
    )
  const told = {
    pipeline,
    time: time(at),
    sources: Object.fromEntries(sources.map(({ name, paused, ...rest }) => [name, { ...rest, ...pausedJson(paused) }])),
    stages: of("stage"),
    sinks: of("sink"),
    deadLetters: Object.fromEntries([...deadLetters].map(([stage, codes]) => [stage, Object.fromEntries(codes)])),
    selfCheck: Object.fromEntries(selfChecks),
    reviews: reviews.map(({ oldest, ...rest }) => ({ ...rest, oldest: time(oldest) })),
    unread: Object.fromEntries([...unread].map(([what, { code }]) => [what, code])),
  }
  return `${json(told, 2)}\n`
}

export const status: Command = {
  name: "status",
  summary: "Shows what is committed: positions and lag, what waits, what stands still and why, dead letters by code",
  positionals: ["FILE"],
  options: { json: jsonOption },
  more: "It reads Log and Store, beside a run or without one; of a Store or a sink that cannot be asked now it tells what the Log knows. What stands still is what the partition's last owner wrote down.",
  async run(args, app, io) {
    const { pipeline } = await loadPipeline(args.positionals[0]!, app, io)
    const drivers: App["drivers"] = {
      ...app.drivers,
      store: (...settings) => app.drivers.store(...settings).catch(absentStore),
    }
    const found = await withRuntime(pipeline, { drivers }, io, committedStatus)
    io.stdout.write(args.flag("json") ? statusJson(pipeline.name, found, io.now()) : statusText(found))
    return exit.ok
  },
}
