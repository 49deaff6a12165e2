import { Schema, fatal } from "../../core/index.ts"
import type { LocalTime } from "../../formats/fhir/deidentify/index.ts"
import { localTime } from "../../formats/fhir/time.ts"

/** The option of everything at the border by which times are told as the hospital's clocks showed them. Images hold local times; a
 * time in UTC beside one would tell by their difference whether it was summer, and many of them nearly the date. */
export const timeZoneOption = Schema.optionalKey(
  Schema.String.annotate({
    description:
      "zone of the hospital's clocks, an IANA name, Z or +hh:mm: below, times are told as they showed them (default Z; in resources the clock of each text)",
  }),
)

/** The clock of an option. Throws fatal `time-zone-unknown`. */
export function clockOf(name: string): LocalTime {
  const local = localTime(name)
  if (local === undefined)
    throw fatal("time-zone-unknown", "the time zone is no IANA name, Z or +hh:mm", { path: "time-zone" })
  return local
}
