/** A text as HTML shows it, in content and in attributes. */
export const escaped = (text: string): string =>
  text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&#39;")

type Cell = string | number

/** A table; every cell is escaped. */
export function table(head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const row = (cells: readonly Cell[], tag: string) =>
    `<tr>${cells.map((cell) => `<${tag}${typeof cell === "number" ? ' class="n"' : ""}>${escaped(String(cell))}</${tag}>`).join("")}</tr>`
  return `<table>\n<thead>${row(head, "th")}</thead>\n<tbody>\n${rows.map((cells) => row(cells, "td")).join("\n")}\n</tbody>\n</table>`
}

const [labelWidth, barWidth, lineHeight] = [190, 340, 22]

/** Counts as bars, the longest first: a picture that needs nothing else, and says its numbers. */
export function bars(title: string, counts: Readonly<Record<string, number>>): string {
  const lines = Object.entries(counts).sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1))
  if (lines.length === 0) return ""
  const most = Math.max(...lines.map(([, number]) => number))
  const drawn = lines.map(([name, number], at) => {
    const y = at * lineHeight
    const width = Math.max(1, Math.round((number / most) * barWidth))
    return [
      `<text x="${labelWidth - 8}" y="${y + 15}" text-anchor="end">${escaped(name)}</text>`,
      `<rect x="${labelWidth}" y="${y + 3}" width="${width}" height="${lineHeight - 6}" rx="2"/>`,
      `<text x="${labelWidth + width + 6}" y="${y + 15}">${number}</text>`,
    ].join("")
  })
  const [width, height] = [labelWidth + barWidth + 90, lines.length * lineHeight]
  return `<svg role="img" aria-label="${escaped(title)}" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}">\n<title>${escaped(title)}</title>\n${drawn.join("\n")}\n</svg>`
}

const style = `body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1c2430}
h1{font-size:1.6rem}h2{margin-top:2.2rem;border-bottom:1px solid #ccd3dc}h3{margin-bottom:.3rem}
table{border-collapse:collapse;margin:0 0 1.2rem;max-width:100%}td,th{border:1px solid #ccd3dc;padding:.25rem .6rem;text-align:left;vertical-align:top;overflow-wrap:anywhere}
th{background:#f2f5f8}td.n{text-align:right;font-variant-numeric:tabular-nums}
svg{max-width:100%;height:auto;display:block;margin:.5rem 0 1.2rem;font:13px system-ui,sans-serif}svg rect{fill:#35618e}svg text{fill:#1c2430}
.phi{border:2px solid #a40000;padding:.5rem 1rem;color:#a40000}
@media print{body{margin:0;max-width:none;font-size:11px}h2,h3{break-after:avoid}tr,svg{break-inside:avoid}svg rect{print-color-adjust:exact}}`

/** A page that needs nothing else, nor may load or run anything. */
export const pageOf = (title: string, ...blocks: readonly string[]): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escaped(title)}</title>
<style>${style}</style>
</head>
<body>
<h1>${escaped(title)}</h1>
${blocks.filter((block) => block !== "").join("\n")}
</body>
</html>
`
