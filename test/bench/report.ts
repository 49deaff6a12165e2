import type { Figure } from "./figure.ts"
import { holds, shareOf } from "./figure.ts"

const number = (value: number): string => (value < 100 ? value.toPrecision(3) : value.toFixed(0))
const percent = (share: number): string => `${(share * 100).toFixed(0)} %`

const heads = ["", "measured", "floor", "share", "target", "CPU share"]

const cellsOf = (figure: Figure): readonly string[] => {
  const { name, measured, floor, unit, target, atMost, cpu } = figure
  return [
    name,
    `${number(measured)} ${unit}`,
    `${number(floor)} ${unit}`,
    percent(shareOf(figure)),
    `${atMost === true ? "<=" : ">="} ${percent(target)}`,
    cpu === undefined ? "" : percent(atMost === true ? cpu.measured / cpu.floor : cpu.floor / cpu.measured),
    holds(figure) ? "held" : "BELOW TARGET",
  ]
}

/** The figures as a table, and how many held. */
export function reportOf(figures: readonly Figure[]): string {
  const rows = [[...heads, ""], ...figures.map(cellsOf)]
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((cells) => cells[column]!.length)))
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, at) => (at === 0 ? cell.padEnd(widths[at]!) : cell.padStart(widths[at]!)))
      .join("  ")
      .trimEnd()
  const held = figures.filter(holds).length
  return [...rows.map(line), "", `${held} held, ${figures.length - held} below`].join("\n")
}
