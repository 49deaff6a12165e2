import type { Area } from "./picture.ts"

/** Probability from which a pixel counts as text: low, as a missed line costs more than one read in vain. */
const pixelThreshold = 0.1
/** A component none of whose pixels is as sure as this is no text. */
const surest = 0.3
/** Least side of a component, in pixels of the map. */
const least = 3
/** How far boxes grow over their component, as DB's post-processing has it: area * ratio / perimeter. */
const unclip = 1.5

interface Component {
  left: number
  top: number
  right: number
  bottom: number
  most: number
}

/** Collects the component of a pixel, with its eight neighbours, and marks it as seen. */
function flood(map: Float32Array, width: number, height: number, from: number, seen: Uint8Array): Component {
  const stack = [from]
  const found = { left: width, top: height, right: -1, bottom: -1, most: 0 }
  seen[from] = 1
  while (stack.length > 0) {
    const at = stack.pop()!
    const [x, y] = [at % width, Math.floor(at / width)]
    found.left = Math.min(found.left, x)
    found.right = Math.max(found.right, x)
    found.top = Math.min(found.top, y)
    found.bottom = Math.max(found.bottom, y)
    found.most = Math.max(found.most, map[at]!)
    for (let ny = Math.max(0, y - 1); ny <= Math.min(height - 1, y + 1); ny++)
      for (let nx = Math.max(0, x - 1); nx <= Math.min(width - 1, x + 1); nx++) {
        const next = ny * width + nx
        if (seen[next] === 1 || map[next]! <= pixelThreshold) continue
        seen[next] = 1
        stack.push(next)
      }
  }
  return found
}

/** Boxes of lines in a map of text probabilities (differentiable binarization), grown to hold whole letters. */
export function lineAreas(map: Float32Array, width: number, height: number): readonly Area[] {
  const seen = new Uint8Array(map.length)
  const areas: Area[] = []
  for (let at = 0; at < map.length; at++) {
    if (seen[at] === 1 || map[at]! <= pixelThreshold) continue
    const { left, top, right, bottom, most } = flood(map, width, height, at, seen)
    const [wide, high] = [right - left + 1, bottom - top + 1]
    if (Math.min(wide, high) < least || most < surest) continue
    const grow = (wide * high * unclip) / (2 * (wide + high))
    const [x, y] = [Math.max(0, left - grow), Math.max(0, top - grow)]
    areas.push({ x, y, width: Math.min(width, right + 1 + grow) - x, height: Math.min(height, bottom + 1 + grow) - y })
  }
  return areas
}

/** What the recognizer's probabilities say: the likeliest symbol of each step, repeats and blanks (0) left out, and the mean
 * probability of those that stay. */
export function decodeLine(
  probabilities: Float32Array,
  steps: number,
  symbols: number,
  dictionary: readonly string[],
): { readonly text: string; readonly score: number } {
  let [text, sum, count, previous] = ["", 0, 0, -1]
  for (let step = 0; step < steps; step++) {
    let [best, most] = [0, -Infinity]
    for (let at = step * symbols, end = at + symbols; at < end; at++)
      if (probabilities[at]! > most) {
        most = probabilities[at]!
        best = at
      }
    best -= step * symbols
    if (best !== 0 && best !== previous) {
      text += dictionary[best - 1] ?? ""
      sum += most
      count++
    }
    previous = best
  }
  return { text, score: count === 0 ? 0 : sum / count }
}
