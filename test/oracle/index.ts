import { readFile } from "node:fs/promises"
import type { Client } from "pg"
import type { Label } from "../../core/index.ts"

export * from "./postgres.ts"

/** A FHIR resource of a person; of several versions the greatest counts. */
export interface OracleResource {
  readonly person: string
  readonly type: string
  readonly id: string
  readonly version: bigint
  /** FHIR JSON text. */
  readonly body: string
}

/** A study assembled from DICOM instances; times in ms since 1970, UTC, null when unknown. */
export interface OracleStudy {
  readonly person: string
  readonly uid: string
  readonly version: bigint
  readonly accession: string
  readonly issuer: string
  readonly modalities: readonly string[]
  readonly bodyParts: readonly string[]
  readonly first: number | null
  readonly last: number | null
}

/** What the oracle and the transform must agree on, for one study and phenotype. */
export interface OracleLabel {
  readonly person: string
  readonly uid: string
  readonly phenotype: string
  readonly value: string
  readonly reason: string
  readonly rung: string
  readonly candidates: number
  /** `type/id:role`, sorted. */
  readonly evidence: readonly string[]
}

const sql = (name: string) => readFile(new URL(name, import.meta.url), "utf8")
const stamp = (time: number | null) => (time === null ? null : new Date(time).toISOString().replace("Z", ""))

/** Makes the oracle's tables and loads the example definitions; the database should be empty. */
export async function prepare(client: Client): Promise<void> {
  await client.query(await sql("schema.sql"))
  await client.query(await sql("definitions.sql"))
}

/** Adds resources, in batches. */
export async function loadResources(client: Client, resources: readonly OracleResource[]): Promise<void> {
  for (let from = 0; from < resources.length; from += 5000) {
    const batch = resources.slice(from, from + 5000)
    const columns = [
      batch.map(({ person }) => person),
      batch.map(({ type }) => type),
      batch.map(({ id }) => id),
      batch.map(({ version }) => String(version)),
      batch.map(({ body }) => body),
    ]
    await client.query(
      "insert into resource select * from unnest($1::text[], $2::text[], $3::text[], $4::numeric[], $5::jsonb[])",
      columns,
    )
  }
}

/** Adds assembled studies. */
export async function loadStudies(client: Client, studies: readonly OracleStudy[]): Promise<void> {
  for (const { person, uid, version, accession, issuer, modalities, bodyParts, first, last } of studies)
    await client.query("insert into dicom_study values ($1, $2, $3, $4, $5, $6, $7, $8, $9)", [
      person,
      uid,
      String(version),
      accession,
      issuer,
      modalities.map((name) => name.toUpperCase()),
      bodyParts.map((name) => name.toUpperCase()),
      stamp(first),
      stamp(last),
    ])
}

/** Says to which day the calendar has come, how far feeds are complete, and which issuers of accession numbers mean the same. */
export async function situate(
  client: Client,
  now: number,
  feeds: ReadonlyMap<string, number>,
  issuers: readonly (readonly string[])[] = [],
): Promise<void> {
  await client.query("truncate today, feed, issuer")
  await client.query("insert into today values ($1)", [stamp(now)])
  for (const [name, through] of feeds) await client.query("insert into feed values ($1, $2)", [name, stamp(through)])
  for (const same of issuers)
    for (const issuer of same) await client.query("insert into issuer values ($1, $2)", [issuer, same[0]])
}

/** The labels as the batch query has them, by `person uid phenotype`. */
export async function batchLabels(client: Client): Promise<ReadonlyMap<string, OracleLabel>> {
  // The plan of one big query over a few hundred studies costs more to compile than to run.
  await client.query("set jit = off")
  await client.query("analyze")
  const { rows } = await client.query<OracleLabel>(await sql("labels.sql"))
  return new Map(rows.map((row) => [`${row.person} ${row.uid} ${row.phenotype}`, row]))
}

/** A streamed label in the oracle's form. */
export const asOracleLabel = (person: string, label: Label): OracleLabel => ({
  person,
  uid: label.studyInstanceUid,
  phenotype: label.phenotype,
  value: label.value,
  reason: label.reason,
  rung: label.rung,
  candidates: label.candidates,
  evidence: label.evidence.map(({ resourceType, resourceId, role }) => `${resourceType}/${resourceId}:${role}`).sort(),
})
