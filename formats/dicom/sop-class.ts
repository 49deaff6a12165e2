import type { ProfileOption } from "./profile.ts"

/** What an object of a SOP class can show, as far as the de-identifier must know (PS3.4 table B.5-1).
 * `volume`: slices, voxels or surfaces that can be rendered; `photo`: visible light, where people and screens may be seen;
 * `projection`: X-ray and nuclear images; `slide`: whole-slide microscopy; `data`: no pictures of a patient. */
export type Showing = "volume" | "photo" | "projection" | "slide" | "data"

/** Why no object of a SOP class can be passed on. */
export type ClassRefusal =
  | "encapsulated-document"
  | "structured-report"
  | "presentation-state"
  | "audio"
  | "media-directory"
  | "burned-in-text-risk"
  | "unsupported-sop-class"

/** Options of the profile that a class of objects can be passed on under, as they clean what it is made of. */
export const cleanedBy: Readonly<Partial<Record<ClassRefusal, ProfileOption>>> = {
  "structured-report": "clean-structured-content",
  "presentation-state": "clean-graphics",
}

const root = "1.2.840.10008.5.1.4.1.1."

const showing: ReadonlyMap<string, Showing> = new Map<string, Showing>([
  // CT, MR, PET, 3D X-ray, segmentations, surfaces, structure sets, parametric maps, tracts
  ...["2", "2.1", "2.2", "4", "4.1", "4.3", "4.4", "128", "128.1", "130", "13.1.1", "13.1.2"].map(
    (uid) => [uid, "volume"] as const,
  ),
  ...["66.4", "66.5", "66.6", "66.7", "481.3", "30"].map((uid) => [uid, "volume"] as const),
  // CR, DX, mammography, intra-oral, XA, XRF, breast projection and tomosynthesis, NM, RT image
  ...["1", "1.1", "1.1.1", "1.2", "1.2.1", "1.3", "1.3.1", "12.1", "12.1.1", "12.2", "12.2.1"].map(
    (uid) => [uid, "projection"] as const,
  ),
  ...["13.1.3", "13.1.4", "13.1.5", "20", "481.1", "481.23"].map((uid) => [uid, "projection"] as const),
  // nuclear and biplane X-ray images, retired, which archives have; maps of an eye
  ...["5", "12.3", "81.1", "82.1"].map((uid) => [uid, "projection"] as const),
  // intravascular and ophthalmic tomography: nothing of a face is in the beam
  ...["14.1", "14.2", "77.1.5.4", "77.1.5.7", "77.1.5.8"].map((uid) => [uid, "projection"] as const),
  // endoscopic, microscopic, photographic, ophthalmic photography, dermoscopic
  ...["77.1.1", "77.1.2", "77.1.3", "77.1.4", "77.1.5.1", "77.1.5.2", "77.1.5.5", "77.1.5.6", "77.1.7"].map(
    (uid) => [uid, "photo"] as const,
  ),
  ["77.1.6", "slide"],
  // electrocardiograms and other signals
  ...[
    "9.1.1",
    "9.1.2",
    "9.1.3",
    "9.1.4",
    "9.2.1",
    "9.3.1",
    "9.5.1",
    "9.6.1",
    "9.6.2",
    "9.7.1",
    "9.7.2",
    "9.7.3",
    "9.7.4",
    "9.8.1",
  ].map((uid) => [uid, "data"] as const),
  // measurements of eyes and lenses
  ...["78.1", "78.2", "78.3", "78.4", "78.5", "78.6", "78.7", "78.8", "79.1"].map((uid) => [uid, "data"] as const),
  ...["77.1.5.3", "80.1"].map((uid) => [uid, "data"] as const),
  // assessments of contents, annotations in bulk, radiations and their records
  ...["90.1", "91.1", ...Array.from({ length: 9 }, (_, at) => `481.${12 + at}`)].map((uid) => [uid, "data"] as const),
  // spectroscopy, registrations, fiducials, real world values, RT dose, plans and treatment records
  ...["4.2", "66.1", "66.2", "66.3", "67", "481.2", "481.4", "481.5", "481.6", "481.7", "481.8", "481.9"].map(
    (uid) => [uid, "data"] as const,
  ),
])

/** Media Storage Directory Storage (PS3.10 8.6): a DICOMDIR, which is no instance. */
export const mediaDirectory = "1.2.840.10008.1.3.10"
const documents = new Set(["104.1", "104.2", "104.3", "104.4", "104.5", "104.6"])
/** Ultrasound and secondary capture, in all their forms, the retired ones too. */
const captures = /^(?:3|3\.1|6|6\.[1-9]|7|7\.[1-9])$/

/** What objects of a class can show, or why none can be passed on; unknown classes cannot. */
export function showingOf(sopClass: string): Showing | ClassRefusal {
  if (sopClass === mediaDirectory) return "media-directory"
  if (!sopClass.startsWith(root)) return "unsupported-sop-class"
  const leaf = sopClass.slice(root.length)
  const known = showing.get(leaf)
  if (known !== undefined) return known
  if (documents.has(leaf)) return "encapsulated-document"
  if (leaf.startsWith("9.4.")) return "audio"
  if (leaf.startsWith("88.")) return "structured-report"
  if (leaf.startsWith("11.")) return "presentation-state"
  return captures.test(leaf) ? "burned-in-text-risk" : "unsupported-sop-class"
}

const shown: ReadonlySet<string> = new Set<Showing>(["volume", "photo", "projection", "slide", "data"])

/** Whether what `showingOf` said is a refusal. */
export const isRefusal = (showing: Showing | ClassRefusal): showing is ClassRefusal => !shown.has(showing)
