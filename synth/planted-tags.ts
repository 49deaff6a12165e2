import type { PlantedKind } from "./planted.ts"

/** What the texts of an instance give away, by tag; names, dates and UIDs are known by their VR. */
export const plantedTags: ReadonlyMap<string, PlantedKind> = new Map<string, PlantedKind>([
  ["00080050", "accession"],
  ["00080080", "institution"],
  ["00080081", "institution"],
  ["00080090", "staff"],
  ["00080094", "institution"],
  ["00081010", "device"],
  ["00081040", "institution"],
  ["00081050", "staff"],
  ["00081060", "staff"],
  ["00081070", "staff"],
  ["00321032", "staff"],
  ["00091002", "institution"],
  ["00100020", "identifier"],
  ["00101040", "address"],
  ["00102154", "phone"],
  ["001021B0", "text"],
  ["00104000", "text"],
  ["00181000", "device"],
  ["00200010", "identifier"],
  ["00331001", "identifier"],
  ["00400009", "identifier"],
  ["00400253", "identifier"],
  ["00401001", "identifier"],
])
