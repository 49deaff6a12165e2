/** The exit codes of `weir`; 64, 77 (not permitted) and 78 as in sysexits.h. */
export const exit = { ok: 0, failed: 1, usage: 64, leak: 77, pipeline: 78 } as const

/** The command line asks for something that there is not: exit code 64. One line a fault. */
export class UsageError extends Error {
  override readonly name = "UsageError"
  /** The command whose help would say more. */
  readonly command: string | undefined
  constructor(faults: readonly string[], command?: string) {
    super(faults.join("\n"))
    this.command = command
  }
}
