import type { DataElement } from "../formats/dicom/index.ts"
import type { Resource } from "./fhir/resource.ts"
import { plantedTags } from "./planted-tags.ts"

export type PlantedKind =
  | "name"
  | "identifier"
  | "accession"
  | "uid"
  | "resource-id"
  | "date"
  | "birth-date"
  | "address"
  | "phone"
  | "email"
  | "text"
  | "staff"
  | "institution"
  | "device"
  | "age-over-89"

/** Where a value stands: a file, or a folder whose files hold it, and the element. */
export interface Place {
  /** Under the output folder; with a `/` at its end a folder. */
  readonly path: string
  /** `(0010,0010)`, `Patient.name.family`, or `path` for the name of the file or folder itself. */
  readonly at: string
}

/** A value that must not be found below `phi`. */
export interface Planted {
  readonly value: string
  readonly kind: PlantedKind
  /** `P0001`, or `hospital`. */
  readonly person: string
  /** derived: another way to write a date that is planted. */
  readonly form: "written" | "derived"
  readonly where: readonly Place[]
}

/** Kinds that belong to the hospital, not to one patient. */
const shared: ReadonlySet<PlantedKind> = new Set(["staff", "institution"])

/** Gathers what is planted, each value of a person once. */
export class Ledger {
  readonly #person: string
  readonly #found = new Map<string, { kind: PlantedKind; form: Planted["form"]; places: Map<string, Place> }>()
  readonly #house: Ledger | undefined

  /** @param house takes what is the hospital's own */
  constructor(person: string, house?: Ledger) {
    this.#person = person
    this.#house = house
  }

  plant(kind: PlantedKind, value: string, place: Place, form: Planted["form"] = "written"): void {
    if (value === "") return
    if (this.#house !== undefined && shared.has(kind)) return this.#house.#plantOnce(kind, value, place)
    const key = `${form} ${value}`
    let entry = this.#found.get(key)
    if (entry === undefined) this.#found.set(key, (entry = { kind, form, places: new Map() }))
    if (form === "written") entry.places.set(`${place.path} ${place.at}`, place)
  }

  #plantOnce(kind: PlantedKind, value: string, place: Place): void {
    if (!this.#found.has(`written ${value}`)) this.plant(kind, value, place)
  }

  entries(): readonly Planted[] {
    return [...this.#found].flatMap(([key, { kind, form, places }]) => {
      const value = key.slice(form.length + 1)
      if (form === "derived" && this.#found.has(`written ${value}`)) return []
      return [{ value, kind, person: this.#person, form, where: [...places.values()] }]
    })
  }

  /** A day in the form in which it stands, and in the other one. */
  date(kind: "date" | "birth-date", text: string, place: Place): void {
    const digits = text.replaceAll("-", "")
    const dashed = `${digits.slice(0, 4)}-${digits.slice(4, 6)}-${digits.slice(6)}`
    this.plant(kind, text, place)
    this.plant(kind, text === digits ? dashed : digits, place, "derived")
  }

  /** A name with its parts. */
  name(kind: "name" | "staff", text: string, place: Place): void {
    this.plant(kind, text, place)
    const parts = text.split(/[\^ ]/).filter((part) => part.length > 2 && part !== "Dr.")
    if (parts.length > 1) for (const part of parts) this.plant(kind, part, place)
  }
}

const textsOf = ({ value }: DataElement): readonly string[] =>
  typeof value === "string" ? [value] : Array.isArray(value) ? value.map(String) : []

const shown = (tag: string): string => `(${tag.slice(0, 4)},${tag.slice(4)})`

/** Plants what an instance holds.
 * @param folder of the series; instance UIDs are planted in the file itself */
export function plantDicom(ledger: Ledger, elements: readonly DataElement[], folder: string, file: string): void {
  for (const element of elements) {
    const place = { path: element.tag === "00080018" ? file : folder, at: shown(element.tag) }
    for (const item of element.items ?? []) plantDicom(ledger, item, folder, file)
    for (const text of textsOf(element)) plantElement(ledger, element, text, place)
  }
}

function plantElement(ledger: Ledger, { tag, vr }: DataElement, text: string, place: Place): void {
  const kind = plantedTags.get(tag)
  if (vr === "UI") {
    if (!text.startsWith("1.2.840.10008.")) ledger.plant("uid", text, place)
  } else if (vr === "DA") ledger.date(tag === "00100030" ? "birth-date" : "date", text, place)
  else if (vr === "DT") ledger.date("date", text.slice(0, 8), place)
  else if (vr === "PN") ledger.name(kind === "staff" ? "staff" : "name", text, place)
  else if (vr === "AS") {
    if (Number(text.slice(0, 3)) > 89) ledger.plant("age-over-89", text, place)
  } else if (kind !== undefined) ledger.plant(kind, text, place)
}

const day = /^\d{4}-\d\d-\d\d(?:T|$)/

/** Plants what a resource holds. */
export function plantResource(ledger: Ledger, resource: Resource, path: string): void {
  const visit = (value: unknown, key: string, at: string): void => {
    if (Array.isArray(value)) return value.forEach((one) => visit(one, key, at))
    if (typeof value === "object" && value !== null)
      return Object.entries(value).forEach(([name, one]) => visit(one, name, `${at}.${name}`))
    if (typeof value === "string") plantText(ledger, value, key, { path, at })
  }
  visit(resource, "", resource.resourceType)
}

const byKey: Readonly<Record<string, PlantedKind>> = {
  line: "address",
  city: "address",
  postalCode: "address",
  conclusion: "text",
  div: "text",
}

function plantText(ledger: Ledger, text: string, key: string, place: Place): void {
  const { at } = place
  if (day.test(text)) return ledger.date(key === "birthDate" ? "birth-date" : "date", text.slice(0, 10), place)
  if (/^[A-Z][A-Za-z]+\.id$/.test(at)) return ledger.plant("resource-id", text, place)
  if (/\.(?:identifier|accessionIdentifier)\.value$/.test(at)) return plantIdentifier(ledger, text, place)
  if (at.endsWith(".telecom.value")) return ledger.plant(text.includes("@") ? "email" : "phone", text, place)
  if (/^Practitioner\.name\.(?:family|given)$/.test(at) || (at.endsWith(".display") && text.startsWith("Dr. ")))
    return ledger.name("staff", text, place)
  if (/^(?:Organization|Location)\.name$/.test(at)) return ledger.plant("institution", text, place)
  if (/\.name\.(?:text|family|given)$/.test(at)) return ledger.name("name", text, place)
  if (/\.note\.text$|\.address\.text$/.test(at)) return ledger.plant("text", text, place)
  if (key === "uid") return ledger.plant("uid", text, place)
  const kind = byKey[key]
  if (kind !== undefined) ledger.plant(kind, text, place)
}

function plantIdentifier(ledger: Ledger, text: string, place: Place): void {
  if (text.startsWith("urn:oid:")) ledger.plant("uid", text.slice(8), place)
  else ledger.plant(/^A24\d+$/.test(text) ? "accession" : "identifier", text, place)
}
