/** One measurement beside the floor of the same run, both in `unit`. */
export interface Figure {
  readonly name: string
  readonly measured: number
  readonly floor: number
  readonly unit: string
  /** The least share measured / floor that is good enough, or the greatest when `atMost` is set. */
  readonly target: number
  /** The figure is a cost: its share may not be above the target. */
  readonly atMost?: true
  /** CPU seconds of this process for what was measured and for the floor: what else the machine does falls on wall time alone. */
  readonly cpu?: { readonly measured: number; readonly floor: number }
}

/** Measured as a share of the floor. */
export const shareOf = ({ measured, floor }: Figure): number => measured / floor

/** Whether a figure is as good as its target says. */
export const holds = (figure: Figure): boolean =>
  figure.atMost === true ? shareOf(figure) <= figure.target : shareOf(figure) >= figure.target

/** A bench: takes its measurements, and tells in a few words where it is. */
export type Bench = (tell: (what: string) => void) => Promise<readonly Figure[]>
