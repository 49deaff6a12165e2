/** What takes identity out, for one person. Texts must be ASCII and fit their VR. */
export interface Pseudonyms {
  /** Patient ID (0010,0020), at most 64 characters. */
  patientId(): string
  /** Patient's Name (0010,0010). */
  patientName(): string
  /** A UID for a UID, always the same. */
  uid(uid: string): string
  /** At most 16 characters for an accession number and its issuer. */
  accession(value: string, issuer: string): string
  /** For identifiers that must stay distinct (specimens, containers), at most 64 characters. */
  identifier(namespace: string, value: string): string
  /** Whole days, 1 or more, by which dates move backwards. */
  readonly shiftDays: number
}

/** Bytes of a pseudonym; throws RangeError for what is not printable ASCII, as every Specific Character Set has only that. */
export function ascii(text: string): Uint8Array {
  if (!/^[\x20-\x7e]*$/.test(text)) throw new RangeError("a pseudonym holds a character that is not ASCII")
  return Buffer.from(text, "latin1")
}

/** What was done, in elements; nested ones count, those inside removed sequences do not. */
export interface Counts {
  removed: number
  emptied: number
  replaced: number
  uidsMapped: number
  datesShifted: number
  agesCapped: number
  /** Texts out of which something was taken. */
  textsCleaned: number
  /** Private attributes that were kept, being known to be safe. */
  keptPrivate: number
  /** Private attributes that were removed. */
  removedPrivate: number
  /** Standard-group attributes in neither table nor dictionary, or with a value of another kind, that were removed. */
  removedUnknown: number
  /** Dates, times and ages that no rule could read, which took the basic action. */
  unreadableDates: number
}

export const noCounts = (): Counts => ({
  removed: 0,
  emptied: 0,
  replaced: 0,
  uidsMapped: 0,
  datesShifted: 0,
  agesCapped: 0,
  textsCleaned: 0,
  keptPrivate: 0,
  removedPrivate: 0,
  removedUnknown: 0,
  unreadableDates: 0,
})
