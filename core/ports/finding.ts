/** What a look at a port found before anything runs: names, numbers and settings, never a secret. */
export interface Finding {
  /** failed: it must not run so. warning: it runs, and somebody should know. */
  readonly level: "ok" | "warning" | "failed"
  /** What was looked at, as `log`, `store`, `objects phi`, `topic a.b`. */
  readonly about: string
  readonly message: string
  /** What to do next, one sentence; of all but `ok`. */
  readonly hint?: string
}

/** Gathers findings about one thing. */
export class Findings {
  readonly all: Finding[] = []
  readonly about: string

  constructor(about: string) {
    this.about = about
  }

  ok(message: string): void {
    this.all.push({ level: "ok", about: this.about, message })
  }
  warning(message: string, hint: string): void {
    this.all.push({ level: "warning", about: this.about, message, hint })
  }
  failed(message: string, hint: string): void {
    this.all.push({ level: "failed", about: this.about, message, hint })
  }
}

/** Clocks that differ by more than this make timers fire wrongly and signed requests be refused, ms. */
const mostSkew = 5000

/** Tells how far a server's clock is from this machine's.
 * @param theirs ms, told between `before` and `after`
 * @param precision of theirs, ms */
export function clockFinding(found: Findings, theirs: number, before: number, after: number, precision = 0): void {
  const skew = theirs + precision / 2 - (before + after) / 2
  const uncertain = (after - before + precision) / 2
  const seconds = (Math.abs(skew) / 1000).toFixed(1)
  if (Math.abs(skew) - uncertain > mostSkew)
    found.failed(
      `its clock is ${seconds} s ${skew > 0 ? "ahead of" : "behind"} this machine's`,
      "synchronise both by NTP",
    )
  else found.ok(`clocks agree within ${((Math.abs(skew) + uncertain) / 1000).toFixed(1)} s`)
}
