import type { WaveName } from "./calendar.ts"
import type { Arrival, TruePerson } from "./truth.ts"

type Counts = Record<string, number>
type ByWave = Record<WaveName, Counts>

const bump = (counts: Counts, name: string): void => {
  counts[name] = (counts[name] ?? 0) + 1
}

/** Counts of everything that was written. */
export class Tally {
  patients = 0
  studies = 0
  instances = 0
  /** Arrivals by FHIR type or `dicom`. */
  readonly arrivals: ByWave = { wave1: {}, wave2: {} }
  /** Arrivals by fate, `dropped:<reason>` and the like. */
  readonly fates: ByWave = { wave1: {}, wave2: {} }
  /** Studies by phenotype and expected value, at the end of a wave. */
  readonly labels: Record<WaveName, Record<string, Counts>> = { wave1: {}, wave2: {} }

  person({ studies }: TruePerson): void {
    this.patients++
    for (const { instances, labels } of studies) {
      this.studies++
      this.instances += instances.wave2
      for (const wave of ["wave1", "wave2"] as const)
        for (const [phenotype, value] of Object.entries(labels[wave]))
          bump((this.labels[wave][phenotype] ??= {}), value)
    }
  }

  arrived(arrivals: readonly Arrival[]): void {
    for (const arrival of arrivals) {
      bump(this.arrivals[arrival.wave], arrival.type)
      bump(this.fates[arrival.wave], "reason" in arrival ? `${arrival.fate}:${arrival.reason}` : arrival.fate)
    }
  }
}
