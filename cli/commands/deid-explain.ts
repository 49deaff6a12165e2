import { open, readFile, stat } from "node:fs/promises"
import { fatal } from "../../core/errors.ts"
import type { Explained, Explanation } from "../../formats/dicom/index.ts"
import type { Io } from "../app.ts"
import type { Arguments, Command } from "../command.ts"
import { jsonOption } from "../command.ts"
import type { RecordKind } from "../deid/record-kind.ts"
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
  const file = await open(path, "r").catch(unreadable)
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

const unreadable = (cause: unknown): never => {
  const { code } = cause as NodeJS.ErrnoException
  throw fatal("path-unreadable", `the file cannot be read (${code ?? "unknown"})`, { path: "FILE", cause })
}

/** The first bytes of a file. */
async function headOf(path: string): Promise<Uint8Array> {
  const file = await open(path, "r").catch(unreadable)
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(256), 0, 256, 0)
    return buffer.subarray(0, bytesRead)
  } catch (cause) {
    return unreadable(cause)
  } finally {
    await file.close()
  }
}

/** Larger resources, messages and reports are not read. */
const mostText = 64 << 20

async function textOf(path: string): Promise<Uint8Array> {
  const { size } = await stat(path).catch(unreadable)
  if (size > mostText) throw fatal("too-large", "the file has more bytes than are read", { path: "FILE" })
  return readFile(path).catch(unreadable)
}

const profiles = ["shifted", "safe-harbor", "limited-data-set"] as const

/** What is no DICOM: FHIR, HL7 v2 or a report. */
async function explainText(args: Arguments, kind: RecordKind, io: Pick<Io, "stdout">): Promise<void> {
  const profile = profiles.find((name) => name === (args.text("profile") ?? "shifted"))
  const named = (args.text("options") ?? "").split(",").filter((option) => option !== "")
  const faults = [
    ...(profile === undefined ? [`--profile takes ${profiles.join(", ")}`] : []),
    ...named
      .filter((option) => option !== "retain-uids")
      .map((option) => `option ${option} is of DICOM; for other formats there is retain-uids`),
    ...(args.text("faces") === undefined ? [] : ["--faces is of DICOM"]),
  ]
  if (faults.length > 0) throw new UsageError(faults, "deid explain")
  const [{ explainRecords }, { recordLines }] = await Promise.all([
    import("../deid/explain.ts"),
    import("../deid/explain-text.ts"),
  ])
  const path = args.positionals[0]!
  const given = { profile: profile!, retainUids: named.includes("retain-uids") }
  const explained = await explainRecords(kind, path, await textOf(path), given)
  const text = args.flag("json")
    ? json({ tool: `weir ${version()}`, records: explained }, 2)
    : explained.map((one) => recordLines(one).join("\n")).join("\n\n")
  io.stdout.write(`${text}\n`)
}

export const deidExplain: Command = {
  name: "deid explain",
  summary:
    "Tells of each element of a DICOM file, FHIR resource or Bundle, HL7 v2 message or report (.txt) which rule decides on it, without a value of it",
  positionals: ["FILE"],
  options: {
    options: { value: "A,B", doc: "options of the profile, such as retain-longitudinal-modified-dates" },
    profile: {
      value: "NAME",
      doc: "of what is no DICOM: shifted (default), safe-harbor or limited-data-set",
    },
    faces: { value: "allow", doc: "as for deid: do not refuse series from which a face could be rendered" },
    json: jsonOption,
  },
  more: "No key is needed: which rule decides does not depend on it. The file is judged alone, without its series.",
  async run(args, _app, io) {
    const { recordKindOf } = await import("../deid/record-kind.ts")
    const kind = recordKindOf(args.positionals[0]!, await headOf(args.positionals[0]!))
    if (kind !== undefined) {
      await explainText(args, kind, io)
      return exit.ok
    }
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
      ...(args.text("profile") === undefined ? [] : ["--profile is of FHIR, HL7 v2 and reports; DICOM has --options"]),
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
