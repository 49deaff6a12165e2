import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { personKey, pseudonymizer } from "../../core/index.ts"
import { localTime } from "../../formats/fhir/time.ts"
import { filesOf, linesOf } from "../contract/synth-hospital.ts"
import type { TruePerson } from "../../synth/index.ts"
import { gatherLoot } from "./attacker-loot.ts"
import type { Leaf, Loot } from "./attacker-loot.ts"
import { bytesOfTime, timesOf } from "./attacker-times.ts"
import { runDemo } from "./demo.ts"
import type { Demo } from "./demo.ts"
import { compiled } from "./weir.ts"

const dayMs = 86_400_000
const hourMs = 3_600_000
/** Everything in the synthetic hospital happens in 2024, and no shift is shorter than a year. */
const truly = { from: Date.UTC(2023, 11, 30), to: Date.UTC(2025, 0, 15) }
const hospital = localTime("America/New_York")!

/* What an attacker may know all the same, and why (DESIGN.md, Privacy):
 * - `limited` can be followed live: the order of arrival (offsets, `origin`, revisions), and of objects when they were written
 *   (LastModified of S3; birth time of a file, time of change of a folder).
 * - Times of day and distances of one person's events stay: the shift is whole days.
 * - Who knows when a person was born learns from ages at events the shift to within a year, or less where a birthday lies
 *   between two events; who knows in which year a feed was recorded learns as much from any shifted date.
 * - A label that turns from unknown to negative was derived when its window was over. */

let folder: string
let demo: Demo
let loot: Loot
let started: number

/** A person below `phi`, with what really happened. */
interface Known {
  readonly days: number
  /** True times, as UTC and as the hospital's clocks showed them. */
  readonly times: ReadonlySet<number>
}
let persons: ReadonlyMap<string, Known>
let trueTimes: ReadonlySet<number>

/** Who a record, row or object is about. */
const holders = new Map<string, string>()

async function trueTimesByPatient(): Promise<ReadonlyMap<string, ReadonlySet<number>>> {
  const out = join(demo.folder.path, "hospital")
  const patients = (demo.truth.persons as unknown as readonly TruePerson[]).map(({ patientId }) => patientId)
  const times = new Map(patients.map((id) => [id, new Set<number>()]))
  for (const file of (await filesOf(out)).filter((name) => name.includes("ndjson")))
    for (const line of await linesOf(out, file).catch(() => [])) {
      const whose = patients.find((id) => line.includes(id))
      if (whose === undefined) continue
      for (const [text] of line.matchAll(/\d{4}-\d\d-\d\d(?:T[\d:.]+(?:Z|[+-]\d\d:\d\d))?/g)) {
        const ms = Date.parse(text)
        times.get(whose)!.add(ms)
        if (text.includes("T")) times.get(whose)!.add(hospital(ms))
      }
    }
  return times
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "weir-shift-"))
  started = Date.now()
  demo = await runDemo(join(folder, "demo"), 10, "7", 2)
  for (const { code, err } of demo.runs) expect(code, err).toBe(0)
  loot = await gatherLoot(await compiled(demo.folder.pipeline))
  const byPatient = await trueTimesByPatient()
  const { person, shiftDays } = pseudonymizer(demo.projectKey)
  const all = demo.truth.persons as unknown as readonly TruePerson[]
  persons = new Map(
    all.map((one) => {
      const same = all.filter((other) => other.person === one.person || other.person === one.mergedWith)
      const times = new Set(same.flatMap((other) => [...byPatient.get(other.patientId)!]))
      for (const { started: at } of same.flatMap(({ studies }) => studies))
        times.add(Date.parse(at)).add(hospital(Date.parse(at)))
      const mrn = one.identifiers.find(({ namespace }) => namespace === "mrn")!.value
      const key = personKey(demo.identityKey, "mrn", mrn)
      return [person(key), { days: shiftDays(key), times }]
    }),
  )
  trueTimes = new Set([...persons.values()].flatMap(({ times }) => [...times]).filter((ms) => ms >= truly.from))
  for (const { holder, value } of loot.leaves)
    if (typeof value === "string" && persons.has(value)) holders.set(holder, value)
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const kindOf = ({ path }: Leaf) => path.replace(/^limited\.curated_(\w+?)(?:__all)?\./, "table $1.")

/** Values of a field that say times strongly, with whom they are about. */
interface Observed {
  readonly person: string
  readonly holder: string
  readonly ms: number
}
function observedTimes(all: Loot): ReadonlyMap<string, readonly Observed[]> {
  const found = new Map<string, Observed[]>()
  for (const leaf of all.leaves) {
    const person = holders.get(leaf.holder)
    if (person === undefined) continue
    for (const { ms, form, weak } of timesOf(leaf.value))
      if (!weak) {
        const slot = `${kindOf(leaf)} as ${form}`
        const list = found.get(slot) ?? []
        list.push({ person, holder: leaf.holder, ms })
        found.set(slot, list)
      }
  }
  return found
}

/** What an attacker tries; each gives what it found. */
const tries = {
  "a true time, or when it was made, in any field, name, header or element": (all: Loot) => {
    const now = { from: started - dayMs, to: Date.now() + dayMs }
    const hits = new Set<string>()
    for (const leaf of all.leaves)
      for (const { ms, form, weak } of timesOf(leaf.value))
        if (!weak)
          for (const [what, { from, to }] of Object.entries({ truly, now }))
            if (ms >= from && ms < to) hits.add(`${kindOf(leaf)}: ${form}, ${what}`)
    return [...hits]
  },

  "true times in forms that are also met by chance, in most values of a field": (all: Loot) => {
    const hits: string[] = []
    for (const [path, leaves] of Map.groupBy(all.leaves, ({ path: of }) => of)) {
      const values = [...new Set(leaves.map(({ value }) => value))]
      const within = (value: Leaf["value"]) =>
        timesOf(value).some(({ ms, weak }) => weak && ms >= truly.from && ms < truly.to)
      const count = values.filter(within).length
      if (count >= 3 && count > values.length / 2) hits.push(`${path}: ${count} of ${values.length}`)
    }
    return hits
  },

  "true times as bytes: integers of either order, varints, versions made of times": (all: Loot) => {
    const needles = new Set<string>()
    for (const ms of trueTimes) for (const bytes of bytesOfTime(BigInt(ms))) needles.add(bytes.toString("latin1"))
    const lengths = [...new Set([...needles].map(({ length }) => length))]
    const find = (bytes: Uint8Array) => {
      const text = Buffer.from(bytes).toString("latin1")
      for (let at = 0; at < text.length; at++)
        for (const length of lengths) if (needles.has(text.slice(at, at + length))) return true
      return false
    }
    return all.bytes.filter(({ bytes }) => find(bytes)).map(({ place }) => place)
  },

  "times that one distance, the same for all persons, makes true": (all: Loot) => {
    const suspects: string[] = []
    for (const [path, observed] of observedTimes(all)) {
      if (new Set(observed.map(({ person }) => person)).size < 3) continue
      const explained = (distance: number) =>
        observed.filter(({ person, ms }) => persons.get(person)!.times.has(ms + distance)).length / observed.length
      const [first] = observed
      const distances = new Set([...persons.get(first!.person)!.times].map((ms) => ms - first!.ms))
      const best = Math.max(...[...distances].map(explained))
      if (best > 0.6) suspects.push(`${path}: ${best}`)
    }
    return suspects
  },

  "a date that many persons share: their copies tell the distance of their shifts": (all: Loot) => {
    const suspects: string[] = []
    for (const [path, observed] of observedTimes(all)) {
      const trueDay = ({ person, ms }: Observed) => Math.floor(ms / dayMs) + persons.get(person)!.days
      const whose = new Set(observed.map(({ person }) => person))
      const shared = [...Map.groupBy(observed, trueDay).values()].map(
        (same) => new Set(same.map(({ person }) => person)).size,
      )
      const most = Math.max(...shared)
      if (whose.size >= 4 && most > whose.size / 2) suspects.push(`${path}: ${most} of ${whose.size}`)
    }
    return suspects
  },

  "two clocks that differ by another hour in summer than in winter": (all: Loot) => seasons(all),

  "an offset from UTC": (all: Loot) => {
    // That of UTC stands in all values alike, whatever clock they were written by: it tells nothing of season or place.
    const offset = /(?:^|\d)[+-](?!00:?00$)(?:0\d|1[0-4]):?(?:00|15|30|45)$/
    const clock = /^[+-]|T?\d\d:\d\d|^\d{10,14}(?:\.\d+)?[+-]/
    const stated = all.leaves.filter(
      ({ value }) => typeof value === "string" && offset.test(value.trim()) && clock.test(value.trim()),
    )
    return [...new Set(stated.map(kindOf))]
  },

  "a number that grows with the shift, times apart": (all: Loot) => {
    const suspects: string[] = []
    for (const [path, leaves] of Map.groupBy(all.leaves, kindOf)) {
      const numbers = leaves.filter(({ value, holder }) => typeof value !== "string" && holders.has(holder))
      const isTime = numbers.some(({ value }) => timesOf(value).some(({ weak, ms }) => !weak && ms > 0))
      if (numbers.length === 0 || isTime) continue
      const whose = [...Map.groupBy(numbers, ({ holder }) => holders.get(holder)!)]
      const means = whose.map(
        ([person, of]) =>
          [persons.get(person)!.days, of.reduce((sum, { value }) => sum + Number(value), 0) / of.length] as const,
      )
      if (means.length >= 8 && Math.abs(rankCorrelation(means)) > 0.95) suspects.push(path)
    }
    return suspects
  },

  "when files were written, by the file system or by gzip": (all: Loot) => [
    ...all.changed.filter(({ mtime, path }) => mtime !== 0 && path !== "~tmp").map(({ path }) => path),
    ...all.leaves
      .filter(({ path, value }) => path.endsWith("gzip time (s)") && value !== 0)
      .map(({ holder }) => holder),
  ],

  "notes between tasks that say more than that something ended": (all: Loot) =>
    all.controls
      .filter(
        ({ kind, writer, mark, ...more }) =>
          !["end", "open"].includes(String(kind)) ||
          !/^stage\/(?:images|resources|release)\/\d$/.test(String(writer)) ||
          !/^[\w-]{0,22}$/.test(String(mark ?? "")) ||
          Object.keys(more).length > 0,
      )
      .map((control) => JSON.stringify(control)),

  "versions that are no revisions": (all: Loot) =>
    all.leaves
      .filter(({ path, value }) => /(?:\.version|\._version|\.revision)$/.test(path) && Number(value) > 100)
      .map(kindOf),

  "times in what was taken back": (all: Loot) => {
    const told = all.leaves.filter(({ path }) => /^curated\.\w+(?:\.op|\.time|\.value.*| timestamp)$/.test(path))
    return [...Map.groupBy(told, ({ holder }) => holder).values()]
      .filter((of) => of.some(({ value }) => value === "retract"))
      .flatMap((of) => of.filter(({ value }) => value !== "retract" && value !== 0).map(kindOf))
  },
} satisfies Readonly<Record<string, (all: Loot) => readonly string[]>>

/** What would tell the shift, were it there; by the try that finds it. */
const leaks: readonly (readonly [leak: string, found: keyof typeof tries, plant: () => Partial<Loot>])[] = [
  ...(
    [
      ["an ISO date", (ms: number) => new Date(ms).toISOString()],
      ["a DA in a UID", (ms: number) => `1.2.840.${new Date(ms).toISOString().slice(0, 10).replaceAll("-", "")}.7`],
      ["a file name", (ms: number) => `export-${new Date(ms).toISOString().slice(0, 10)}.zip`],
      ["milliseconds", (ms: number) => ms],
      ["seconds in a name", (ms: number) => `x/${ms}`],
      ["a version of a source", (ms: number) => (BigInt(ms) << 20n) + 3n],
      ["a UUID of a time", (ms: number) => uuidOfTime(ms)],
      [
        "an American date",
        (ms: number) =>
          new Date(ms).toLocaleDateString("en-US", {
            month: "2-digit",
            day: "2-digit",
            year: "numeric",
            timeZone: "UTC",
          }),
      ],
    ] as const
  ).map(
    ([what, of]) =>
      [
        what,
        "a true time, or when it was made, in any field, name, header or element",
        () => leafOf("new", of(aTrueTime())),
      ] as const,
  ),
  [
    "days since 1970 in a field",
    "true times in forms that are also met by chance, in most values of a field",
    () => ({
      leaves: [...trueTimes]
        .filter((_, at) => at % 20 === 0)
        .map((ms) => ({ path: "new", holder: "x", value: Math.floor(ms / dayMs) })),
    }),
  ],
  [
    "a true time in an Avro long",
    "true times as bytes: integers of either order, varints, versions made of times",
    () => ({
      bytes: [{ place: "new", bytes: Buffer.concat([Buffer.from("x"), bytesOfTime(BigInt(aTrueTime()))[2]!]) }],
    }),
  ],
  [
    "one shift for all",
    "times that one distance, the same for all persons, makes true",
    () => ofPersons(({ times }) => [...times].slice(0, 9).map((ms) => new Date(ms - 700 * dayMs).toISOString())),
  ],
  [
    "a device's date of calibration, shifted with each person",
    "a date that many persons share: their copies tell the distance of their shifts",
    () => ofPersons(({ days }) => [new Date(truly.from + (40 - days) * dayMs).toISOString()]),
  ],
  [
    "UTC beside local times",
    "two clocks that differ by another hour in summer than in winter",
    () => ({
      leaves: loot.leaves
        .filter(({ path }) => path === "table studies.started" || path === "limited.curated_studies.started")
        .map((leaf) => {
          const { days } = persons.get(holders.get(leaf.holder)!)!
          const wall = Number(leaf.value) + days * dayMs
          const utc = [4, 5].map((hours) => wall + hours * hourMs).find((ms) => hospital(ms) === wall)!
          return { ...leaf, path: "new", value: utc - days * dayMs }
        }),
    }),
  ],
  ["an offset", "an offset from UTC", () => leafOf("dicom (0008,0201)", "-0400")],
  ["an offset in a time", "an offset from UTC", () => leafOf("new", "2019-03-04T10:00:00-05:00")],
  ["a count of days", "a number that grows with the shift, times apart", () => ofPersons(({ days }) => [days * 3])],
  [
    "a file's time",
    "when files were written, by the file system or by gzip",
    () => ({ changed: [{ path: "x", mtime: 1 }] }),
  ],
  [
    "how far a feed is complete",
    "notes between tasks that say more than that something ended",
    () => ({ controls: [{ kind: "complete", writer: "stage/release/1", feed: "ehr/*", through: 1_730_000_000_000 }] }),
  ],
  ["a long version", "versions that are no revisions", () => leafOf("curated.labels.version", 101)],
]

const aTrueTime = (): number => [...trueTimes][5]!
const leafOf = (path: string, value: Leaf["value"]) => ({ leaves: [{ path, holder: "x", value }] })
const ofPersons = (values: (known: Known) => readonly Leaf["value"][]) => {
  const holderOf = new Map([...holders].map(([holder, person]) => [person, holder]))
  return {
    leaves: [...holderOf].flatMap(([person, holder]) =>
      values(persons.get(person)!).map((value) => ({ path: "new", holder, value })),
    ),
  }
}
function uuidOfTime(ms: number): string {
  const ticks = ((BigInt(ms) + 12_219_292_800_000n) * 10_000n).toString(16).padStart(15, "0")
  return `${ticks.slice(7)}-${ticks.slice(3, 7)}-1${ticks.slice(0, 3)}-8123-0123456789ab`
}

describe("what is below phi after the demo's two deliveries", () => {
  it("is all there: messages, rows, images, retractions, persons of whom the attacker knows everything", () => {
    expect(loot.counts.messages).toBeGreaterThan(300)
    expect(loot.counts.rows).toBeGreaterThan(300)
    expect(loot.counts.images).toBeGreaterThan(50)
    expect(loot.controls.length).toBeGreaterThan(0)
    expect(loot.leaves.some(({ value }) => value === "retract")).toBe(true)
    expect(loot.leaves.some(({ path }) => path.endsWith("gzip time (s)"))).toBe(true)
    expect(trueTimes.size).toBeGreaterThan(300)
    expect(new Set(holders.values()).size).toBeGreaterThan(7)
  })

  it("is explained by each person's own shift, so that a search for another distance is not blind", () => {
    const observed = observedTimes(loot)
    for (const path of [
      "table labels.clinical_time as epoch ms",
      "table labels.known_time as epoch ms",
      "curated.resources.value.body.started as YYYY-MM-DD",
    ]) {
      const all = observed.get(path) ?? []
      expect(all.length, path).toBeGreaterThan(5)
      const told = all.filter(({ person, ms }) => {
        const { days, times } = persons.get(person)!
        return times.has(ms + days * dayMs)
      })
      expect(told.length / all.length, path).toBeGreaterThan(0.9)
    }
  })

  it.each(Object.entries(tries))("holds nothing for who looks for %s", (_, attempt) => {
    expect(attempt(loot)).toEqual([])
  })

  it.each(leaks)("%s would be found, by looking for %s", (_, found, plant) => {
    const more = plant()
    const all = {
      ...loot,
      leaves: [...loot.leaves, ...(more.leaves ?? [])],
      bytes: [...(more.bytes ?? []), ...loot.bytes.slice(0, 9)],
      controls: [...loot.controls, ...(more.controls ?? [])],
      changed: [...loot.changed, ...(more.changed ?? [])],
    }
    expect(tries[found](all)).not.toEqual([])
  })
})

/** Fields whose times of day, for one study or resource, differ by one hour in summer and by another in winter. */
function seasons(all: Loot): string[] {
  const names = /^(?:2\.25\.\d+|urn:oid:2\.25\.\d+|[a-z2-7]{26})$/
  const named = new Map<string, Set<string>>()
  for (const { holder, value, path } of all.leaves)
    if (
      typeof value === "string" &&
      names.test(value) &&
      !persons.has(value) &&
      /(?:studyinstanceuid|study_instance_uid|resourceid|resource_id|\(0020,000D\)|identifier\.value|body\.id)$/i.test(
        path,
      )
    )
      named.set(holder, (named.get(holder) ?? new Set()).add(value.replace("urn:oid:", "")))
  const clocks = new Map<string, Map<string, { ms: number; summer: boolean }>>()
  for (const leaf of all.leaves) {
    const person = holders.get(leaf.holder)
    if (person === undefined) continue
    const text = typeof leaf.value === "string" ? /^(\d\d)(\d\d)(\d\d)?(?:\.\d+)?\s*$/.exec(leaf.value) : null
    const time = text !== null && leaf.path.startsWith("dicom ") && !leaf.path.endsWith("raw")
    const [told] = timesOf(leaf.value).filter(({ weak, clock }) => !weak && clock)
    const ms = time ? (Number(text![1]) * 60 + Number(text![2])) * 60_000 : told?.ms
    if (ms === undefined) continue
    const trueMs = ms + persons.get(person)!.days * dayMs
    const summer = time ? undefined : hospital(trueMs) - trueMs === -4 * hourMs
    for (const name of named.get(leaf.holder) ?? []) {
      const slots = clocks.get(name) ?? new Map()
      clocks.set(name, slots)
      const before = slots.get(kindOf(leaf))
      slots.set(kindOf(leaf), {
        ms: before === undefined ? ms : Math.min(before.ms, ms),
        summer: summer ?? before?.summer,
      })
    }
  }
  const pairs = new Map<string, { readonly minutes: number; readonly summer: boolean }[]>()
  for (const slots of clocks.values()) {
    const summer = [...slots.values()].map((one) => one.summer).find((one) => one !== undefined)
    if (summer === undefined) continue
    const list = [...slots].sort(([a], [b]) => (a < b ? -1 : 1))
    for (const [at, [a, one]] of list.entries())
      for (const [b, other] of list.slice(at + 1)) {
        const minutes = Math.round((((one.ms - other.ms) % dayMs) + dayMs) / 60_000) % 1440
        pairs.set(`${a} | ${b}`, [...(pairs.get(`${a} | ${b}`) ?? []), { minutes, summer }])
      }
  }
  return [...pairs].flatMap(([pair, all]) => {
    const of = (summer: boolean) => all.filter((one) => one.summer === summer).map(({ minutes }) => minutes)
    const [inSummer, inWinter] = [of(true), of(false)]
    const apart = inSummer.every((minutes) => !inWinter.includes(minutes))
    const settled = new Set(inSummer).size <= 2 && new Set(inWinter).size <= 2
    return inSummer.length >= 3 && inWinter.length >= 3 && apart && settled
      ? [`${pair}: ${[...new Set(inSummer)].join()} in summer, ${[...new Set(inWinter)].join()} in winter (minutes)`]
      : []
  })
}

function rankCorrelation(pairs: readonly (readonly [number, number])[]): number {
  const ranks = (values: readonly number[]) => {
    const sorted = [...values].sort((a, b) => a - b)
    return values.map((value) => (sorted.indexOf(value) + sorted.lastIndexOf(value)) / 2)
  }
  const [x, y] = [ranks(pairs.map(([a]) => a)), ranks(pairs.map(([, b]) => b))]
  const mean = (pairs.length - 1) / 2
  const sum = (of: (at: number) => number) => x.reduce((total, _, at) => total + of(at), 0)
  const spread = Math.sqrt(sum((at) => (x[at]! - mean) ** 2) * sum((at) => (y[at]! - mean) ** 2))
  return spread === 0 ? 0 : sum((at) => (x[at]! - mean) * (y[at]! - mean)) / spread
}
