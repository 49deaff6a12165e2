import type { Timer } from "../plugin.ts"
import type { KeyRewrap, ObjectKeyTables } from "./object-keys.ts"
import type { RecordKeyRewrap, RecordKeyTables } from "./record-keys.ts"
import type { ReviewTables } from "./reviews.ts"
import type { VaultTables } from "./vault.ts"

/** A task's place in one of its inputs. `time` and `checksum` are of the last record read, so that a topic that was recreated
 * or truncated is noticed. */
export interface InputPosition {
  readonly topic: string
  readonly next: bigint
  readonly last?: { readonly offset: bigint; readonly checksum: number }
}

/** One outbox row: what one step publishes, encoded; numbered from the task's row, so gapless and in commit order. */
export interface OutboxRow {
  readonly number: bigint
  readonly payload: Uint8Array
}

/** What a claim finds. */
export interface Claim {
  /** Raised by this claim: every step of an older claim now fails with `fenced`. */
  readonly epoch: bigint
  /** Number of the newest outbox row that a step committed; 0 at first. */
  readonly outbox: bigint
  /** Highest number that is known to be published; the Log may know a higher one. */
  readonly published: bigint
  readonly positions: readonly InputPosition[]
  /** Engine facts of the task: end marks of writers, feeds that are complete, partition count. */
  readonly facts: Readonly<Record<string, unknown>>
  /** Rows above `published`, in order. */
  readonly pending: readonly OutboxRow[]
  /** Earliest armed timer of each clock, ms; undefined when none is. */
  readonly dueQuiet: number | undefined
  readonly dueCalendar: number | undefined
}

export type StateRow = readonly [key: string, sort: string, value: string]
export type StateKey = readonly [key: string, sort: string]

/** How many more or fewer references a step leaves to an object. */
export interface ReferenceChange {
  readonly zone: string
  readonly key: string
  /** 0: a record that names it was read, and nothing refers to it more than before. */
  readonly by: number
}

/** Everything that one step changes; committed together or not at all. */
export interface StepChange {
  readonly puts: readonly StateRow[]
  readonly deletes: readonly StateKey[]
  readonly sharedPuts: readonly StateRow[]
  readonly sharedDeletes: readonly StateKey[]
  readonly timers: readonly Timer[]
  readonly cancels: readonly (readonly [key: string, name: string])[]
  readonly positions: readonly InputPosition[]
  /** Counted with the step, as `Store.objects.count` does. */
  readonly references?: readonly ReferenceChange[]
  /** Of objects that `references` names too, as `Store.objectKeys.rewrap` does. */
  readonly keys?: readonly KeyRewrap[]
  /** Of records that the step read, as `Store.recordKeys.rewrap` does. */
  readonly recordKeys?: readonly RecordKeyRewrap[]
  readonly facts?: Readonly<Record<string, unknown>>
  /** The step's outbox row; its number must be the counter + 1. */
  readonly outbox?: Uint8Array
  /** Published up to here (inclusive): rows at or below it are deleted. */
  readonly published?: bigint
}

/** A step in progress: a database transaction that holds the task's row. Values are JSON text. */
export interface StepTransaction {
  get(keys: readonly StateKey[]): Promise<readonly (string | undefined)[]>
  scan(
    ranges: readonly { readonly key: string; readonly from?: string; readonly to?: string }[],
  ): Promise<readonly (readonly (readonly [sort: string, value: string])[])[]>
  readonly shared: {
    lock(keys: readonly string[]): Promise<void>
    get: StepTransaction["get"]
    scan: StepTransaction["scan"]
  }
  /** Armed timers that are due, earliest first. */
  due(clock: "quiet" | "calendar", until: number, limit: number): Promise<readonly Timer[]>
  /** Resolves to the number of the outbox row (or the counter). Rejects with retryable `unknown-outcome` when the answer was
   * lost: claim again. */
  commit(change: StepChange): Promise<bigint>
  rollback(): Promise<void>
}

/** A claimed task. */
export interface TaskStore extends Claim {
  /** Locks the task's row and checks the epoch; rejects with fatal-to-the-claim code `fenced` when another claim came after. */
  begin(): Promise<StepTransaction>
  /** Marks published and deletes rows outside a step; checks the epoch. */
  markPublished(number: bigint): Promise<void>
  release(): Promise<void>
}

/** Where a task stands. */
export interface TaskPositions {
  readonly stage: string
  readonly partition: number
  readonly positions: readonly InputPosition[]
}

/** What is committed of a task, as somebody sees it who does not own it. */
export interface TaskState extends TaskPositions {
  readonly epoch: bigint
  /** As of Claim. */
  readonly outbox: bigint
  readonly published: bigint
  /** As of Claim. */
  readonly facts: Readonly<Record<string, unknown>>
  /** Outbox rows that are not published, as far as the Store knows. */
  readonly pending: number
  /** Armed timers, and when the earliest is due, ms; undefined when none is. */
  readonly timers: Readonly<Record<Timer["clock"], { readonly armed: number; readonly due: number | undefined }>>
  /** What waits for armed timers that tell since when, and since when the oldest of it has, ms; undefined when nothing does. */
  readonly waiting: { readonly entries: number; readonly since: number | undefined }
}

/** The Store port: state and timers of tasks, their positions and outbox, references to objects, and an audit. Errors:
 * `unreachable`, `fenced`, `unknown-outcome`, `deadlock` (retryable: claim again), `disk-full`, `login-refused`, `lock-timeout`
 * (systemic). Locks never outlive their owner: lock, idle-in-transaction and TCP timeouts are under 10 s. */
export interface Store {
  readonly driver: string
  /** Address of the server, with credentials; for sinks that write beside the Store. Never printed. */
  readonly url: string
  claim(pipeline: string, stage: string, partition: number): Promise<TaskStore>
  /** Where every task of a pipeline stands, as last committed; claims nothing. */
  positions(pipeline: string): Promise<readonly TaskPositions[]>
  /** Looks at a pipeline's tasks without claiming or holding up any; for those who watch. In order of stage and partition. */
  tasks?(pipeline: string): Promise<readonly TaskState[]>
  /** Rows of the state of a stage's tasks, as last committed, in order of partition, key and sort; claims and holds up nothing. For
   * reports: a row holds what is phi, so only counts and codes of it may be shown. */
  rows?(pipeline: string, stage: string): AsyncIterable<StateRow>
  /** Rows of the tables of a zone and below, as a role that sees nothing above it. */
  query(
    sql: string,
    zone: "phi" | "limited" | "clean",
  ): Promise<{ readonly columns: readonly string[]; readonly rows: readonly (readonly unknown[])[] }>
  /** Writes down that somebody looked at `phi`. */
  audit(action: string, detail: string): Promise<void>
  /** Counts references to objects; `by` may be negative. A writer refreshes before it puts: what it puts counts as new, and as
   * uncounted until something refers to it. When a reference ends, that refreshes the object too. */
  readonly objects: {
    refresh(zone: string, keys: readonly string[]): Promise<void>
    count(zone: string, keys: readonly string[], by: number): Promise<void>
    /** Unreferenced objects that were not refreshed for `olderThanMs`, deleted under their rows' locks by `remove`. Uncounted ones,
     * whose records may not have been read yet, when it was for `uncountedOlderThanMs` (as `olderThanMs` where it is not given;
     * Infinity: never). */
    sweep(
      zone: string,
      olderThanMs: number,
      remove: (keys: readonly string[]) => Promise<void>,
      uncountedOlderThanMs?: number,
    ): Promise<number>
  }
  /** Leaves nothing of deleted rows in the Store's own files. Absent where its server is not its own: there that is the operator's
   * (VACUUM FULL, and the retention of write-ahead logs and backups). */
  scrub?(): Promise<void>
  /** Keys of sealed objects; on a Store without them none is sealed. */
  readonly objectKeys?: ObjectKeyTables
  /** Keys of sealed records; as above. */
  readonly recordKeys?: RecordKeyTables
  /** The reverse vault; a Store without it serves projects without a vault. */
  readonly vault?: VaultTables
  /** The review queue; on a Store without it nothing is held for a person, and what is refused stays a dead letter. */
  readonly reviews?: ReviewTables
  close(): Promise<void>
}
