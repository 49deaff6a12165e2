import type { CompiledPipeline } from "../../core/pipeline/model.ts"
import type { App } from "../app.ts"
import { everythingBelow } from "./below.ts"
import type { Found } from "./below.ts"
import type { Planted } from "./folder.ts"
import { Needles } from "./needles.ts"

const controlKind = "control"

/** What the search went through, and what it found. */
export interface SearchResult {
  readonly messages: number
  readonly rows: number
  readonly objects: number
  readonly characters: number
  /** Places, each with the kind of identifier that was found there; never the identifier. */
  readonly hits: readonly string[]
  /** Where the control was found: a pseudonym that must be in each, or the search itself does not work. */
  readonly control: ReadonlySet<Found["kind"]>
}

/** Looks for every planted identifier in everything below `phi`. */
export async function searchBelow(
  pipeline: CompiledPipeline,
  app: Pick<App, "drivers" | "dicomTexts">,
  planted: readonly Planted[],
  control: string,
): Promise<SearchResult> {
  const needles = new Needles([...planted, { value: control, kind: controlKind, person: "" }])
  const controls = new Set<Found["kind"]>()
  const places = { message: new Set<string>(), row: new Set<string>(), object: new Set<string>() }
  const hits = new Set<string>()
  await everythingBelow(pipeline, app, ({ kind, place, texts }) => {
    places[kind].add(place)
    for (const text of texts)
      for (const { kind: what, person } of needles.in(text))
        if (what === controlKind) controls.add(kind)
        else hits.add(`${place}: ${what} of ${person}`)
  })
  const [messages, rows, objects] = [places.message.size, places.row.size, places.object.size]
  return { messages, rows, objects, characters: needles.searched, hits: [...hits], control: controls }
}
