import { open } from "node:fs/promises"
import { fatal } from "../../core/errors.ts"
import type { Explained, Explanation } from "../../formats/dicom/index.ts"
import type { Command } from "../command.ts"
import { jsonOption } from "../command.ts"
import { UsageError, exit } from "../exit.ts"
import { columns, json } from "../table.ts"
import { version } from "../version.ts"

/** Headers above this are not read. */
const most = 512 << 20
const firstRead = 1 << 20

/** Reads as much of a file as `understand` asks for. */
async function readEnough<T extends object>(
  path: string,
  understand: (input: { readonly header: Uint8Array; readonly size: number }) => T | { readonly kind: "more" },
): Promise<T> {
  const file = await open(path, "r").catch((cause: unknown) => {
    const { code } = cause as NodeJS.ErrnoException
    throw fatal("path-unreadable", `the file cannot be read (${code ?? "unknown"})`, { path: "FILE", cause })
  })
  try {
    const { size } = await file.stat()
    for (let length = Math.min(size, firstRead); ; length = Math.min(size, length * 4)) {
      const header = Buffer.alloc(length)
      await file.read(header, 0, length, 0)
      const found = understand({ header, size })
      if (!("kind" in found)) return found
      if (length === size || length > most)
        throw fatal("too-large", "the file asks for more bytes than are read", { path: "FILE" })
    }
  } finally {
    await file.close()
  }
}

const rowOf = ({ path, keyword, row, action, options, fate, why }: Explained, text: string): readonly string[] => [
  path,
  keyword,
  row === "" ? "-" : row === action || action === "" ? row : `${row}: ${action}`,
  options.map(({ option, code }) => `${code} ${option}`).join(", ") || "-",
  fate,
  `${text} (${why})`,
]

function lines(explanation: Explanation, text: Readonly<Record<string, string>>): readonly string[] {
  const { edition, codes, options, verdict, path, detail, elements } = explanation
  const refused = verdict === "released" ? [] : [path, detail].filter((part) => part !== undefined)
  return [
    `PS3.15 ${edition}, codes ${codes.join(", ")}; options: ${options.join(", ") || "none"}; weir ${version()}`,
    verdict === "released" ? "released" : `refused: ${[verdict, ...refused].join(" ")}`,
    ...(elements.length === 0
      ? []
      : [
          "",
          ...columns([
            ["element", "keyword", "table", "options", "what becomes of it", "why"],
            ...elements.map((one) => rowOf(one, text[one.why]!)),
          ]),
        ]),
  ]
}

export const deidExplain: Command = {
  name: "deid explain",
  summary: "Tells of each element of a DICOM file which rule decides on it, without a value of it",
  positionals: ["FILE"],
  options: {
    options: { value: "A,B", doc: "options of the profile, such as retain-longitudinal-modified-dates" },
    faces: { value: "allow", doc: "as for deid: do not refuse series from which a face could be rendered" },
    json: jsonOption,
  },
  more: "No key is needed: which rule decides does not depend on it. The file is judged alone, without its series.",
  async run(args, _app, io) {
    const { explain, optionsFault, profileOptions, whyText } = await import("../../formats/dicom/index.ts")
    const named = (args.text("options") ?? "").split(",").filter((option) => option !== "")
    const options = profileOptions.filter((option) => named.includes(option))
    const unknown = named.filter((option) => !options.some((known) => known === option))
    const fault = optionsFault(options)
    const faces = args.text("faces")
    const faults = [
      ...unknown.map((option) => `no option of the profile is named ${option}; there are ${profileOptions.join(", ")}`),
      ...(fault === undefined ? [] : [fault]),
      ...(faces === undefined || faces === "allow" ? [] : ["--faces takes allow"]),
    ]
    if (faults.length > 0) throw new UsageError(faults, "deid explain")
    const policy = { options, faces: faces === "allow" ? ("allow" as const) : ("refuse" as const) }
    const explanation = await readEnough(args.positionals[0]!, (input) => explain(input, policy))
    io.stdout.write(
      args.flag("json")
        ? `${json({ tool: `weir ${version()}`, ...explanation }, 2)}\n`
        : `${lines(explanation, whyText).join("\n")}\n`,
    )
    return exit.ok
  },
}
