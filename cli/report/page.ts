import { bars, escaped, pageOf, table } from "./html.ts"
import type { ImageReport, PrivacyReport, RecordReport, ReviewReport, StageReport, Subject } from "./model.ts"

const titleOf = (subject: Subject, pipeline: string): string => {
  if (subject.kind === "study") return `De-identification of a study of ${pipeline}`
  if (subject.kind === "data-set") return `De-identification of ${subject.topic} of ${pipeline}`
  return `De-identification by ${pipeline}`
}

const total = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((sum, number) => sum + number, 0)

function subjectBlock({ subject, pipeline, tool, made }: PrivacyReport): string {
  const rows: [string, string | number][] = [["pipeline", pipeline]]
  if (subject.kind === "study") rows.push(["study (pseudonym)", subject.study])
  if (subject.kind === "data-set") rows.push(["topic", subject.topic], ["zone", subject.zone], ["rows", subject.rows])
  rows.push(["report written by", tool], ["at", made])
  const profiles = subject.kind === "data-set" ? Object.entries(subject.profiles) : []
  return [
    table(["what", "value"], rows),
    profiles.length === 0 ? "" : table(["profile that rows state", "rows"], profiles),
  ].join("\n")
}

function imagesBlock(images: ImageReport): string {
  const { released, refused, waiting, takenBack, applied, actions, uncounted, refusals } = images
  return [
    "<h3>Images</h3>",
    table(["released", "refused", "waiting for their study", "taken back"], [[released, refused, waiting, takenBack]]),
    "<h3>What was applied</h3>",
    table(
      ["images", "standard", "options", "codes (CID 7050)", "faces", "key id", "Weir"],
      applied.map(({ instances, standard, edition, options, codes, facesAllowed, keyId, tool }) => [
        instances,
        `${standard}, edition ${edition || "not known"}`,
        options.join(", ") || "none",
        codes.map(({ code, meaning }) => `${code} ${meaning}`).join("; "),
        facesAllowed ? "allowed" : "not let through",
        keyId || "not kept",
        tool || "not kept",
      ]),
    ),
    "<h3>Elements of released images by action</h3>",
    bars("Elements by action", actions),
    uncounted === 0
      ? ""
      : `<p>Actions of ${uncounted} images are not counted: an older Weir made them, or a newer version of them waits to be decided on.</p>`,
    "<h3>Refused images by reason</h3>",
    total(refusals) === 0 ? "<p>None.</p>" : bars("Refused images by reason", refusals),
  ].join("\n")
}

function recordsBlock({ released, takenBack, applied, actions, findings }: RecordReport): string {
  return [
    "<h3>Records</h3>",
    table(["released", "taken back"], [[released, takenBack]]),
    "<h3>What was applied to records</h3>",
    table(
      ["records", "rules and profile", "key id", "Weir"],
      applied.map(({ records, rules, keyId, tool }) => [records, rules, keyId, tool]),
    ),
    "<h3>Elements and fields of released records by action</h3>",
    bars("Elements and fields by action", actions),
    total(findings) === 0 ? "" : "<h3>What was replaced in their texts, by kind</h3>",
    total(findings) === 0 ? "" : bars("Replaced in texts by kind", findings),
  ].join("\n")
}

function reviewsBlock({ states, oldest, decisions }: ReviewReport): string {
  const known = ["pending", "accepted", "redacted", "rejected", "passed", "gone"]
  return [
    "<h3>Reviews</h3>",
    table(known, [known.map((state) => states[state] ?? 0)]),
    oldest === undefined ? "" : `<p>The oldest waits since ${escaped(oldest)}.</p>`,
    decisions.length === 0
      ? ""
      : table(
          ["review", "held for", "decision", "by", "at"],
          decisions.map(({ review, reason, decision, by, at }) => [review, reason, decision, by, at]),
        ),
  ].join("\n")
}

function stageBlock({
  stage,
  transforms,
  images,
  records,
  reviews,
  deadLetters,
  deadLettersFixed,
}: StageReport): string {
  return [
    `<h2>Stage ${escaped(stage)}</h2>`,
    table(
      ["transform", "what it says of its output"],
      transforms.map(({ plugin, statement }) => [plugin, statement]),
    ),
    images === undefined ? "" : imagesBlock(images),
    records === undefined ? "" : recordsBlock(records),
    reviews === undefined ? "" : reviewsBlock(reviews),
    deadLetters === undefined ? "" : "<h3>Dead letters that are open, by code</h3>",
    deadLetters === undefined
      ? ""
      : total(deadLetters) === 0
        ? "<p>None.</p>"
        : bars("Open dead letters by code", deadLetters),
    (deadLettersFixed ?? 0) === 0 ? "" : `<p>${deadLettersFixed} more passed when they were replayed.</p>`,
  ].join("\n")
}

/** A report as a page: self-contained, without scripts, to be read or printed. */
export const privacyPage = (report: PrivacyReport): string =>
  pageOf(titleOf(report.subject, report.pipeline), subjectBlock(report), ...report.stages.map(stageBlock))
