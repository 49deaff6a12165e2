/** The composition root: the one file that knows every built-in plugin and driver. */
import { resolve } from "node:path"
import type { App, Io } from "./cli/app.ts"
import { dispatch } from "./cli/dispatch.ts"
import { dicomFolder } from "./connectors/dicom/index.ts"
import { fhirNdjson } from "./connectors/fhir/index.ts"
import { hl7v2Mllp } from "./connectors/hl7v2/index.ts"
import type { KafkaLogOptions } from "./core/drivers/log-kafka/index.ts"
import type { S3ObjectsOptions } from "./core/drivers/objects-s3/index.ts"
import type { Drivers } from "./core/engine/run.ts"
import { fatal } from "./core/errors.ts"
import type { DriverSettings } from "./core/pipeline/model.ts"
import type { AnyPlugin } from "./core/plugin.ts"
import type { Zone } from "./core/record.ts"
import { textsOf } from "./formats/dicom/index.ts"
import { objectStore } from "./sinks/object-store/index.ts"
import { postgres } from "./sinks/postgres/index.ts"
import { deidentifyDicom } from "./transforms/deidentify/dicom.ts"
import { deidentifyFhir } from "./transforms/deidentify/fhir.ts"
import { deidentifyHl7v2 } from "./transforms/deidentify/hl7v2.ts"
import { deidentifyRecord } from "./transforms/deidentify/record.ts"
import { resolvePatient } from "./transforms/identity/index.ts"
import { phenotype } from "./transforms/phenotype/index.ts"
import { select } from "./transforms/select/index.ts"
import { assembleStudy } from "./transforms/study/index.ts"
import { mapCodes } from "./transforms/terminology/index.ts"

/** Every plugin that comes with Weir. */
export const builtIns: readonly AnyPlugin[] = [
  dicomFolder,
  fhirNdjson,
  hl7v2Mllp,
  resolvePatient,
  assembleStudy,
  mapCodes,
  phenotype,
  select,
  deidentifyDicom,
  deidentifyFhir,
  deidentifyHl7v2,
  deidentifyRecord,
  postgres,
  objectStore,
]

/** The ports' implementations, each imported when a pipeline asks for it. Throws fatal `unknown-driver`, `missing-setting`,
 * `missing-package`. */
export const drivers: Drivers = {
  async log(settings, folder) {
    if (settings.driver === "embedded") {
      const { openEmbeddedLog } = await load(() => import("./core/drivers/log-embedded/index.ts"))
      return openEmbeddedLog({ dir: resolve(folder, text(settings, "dir")) })
    }
    if (settings.driver !== "kafka") throw unknown(settings)
    const { openKafkaLog } = await load(() => import("./core/drivers/log-kafka/index.ts"))
    return openKafkaLog(kafkaOptions(settings))
  },
  async store(settings, folder) {
    if (settings.driver === "embedded") {
      const { openEmbeddedStore } = await load(() => import("./core/drivers/store-embedded/index.ts"))
      return openEmbeddedStore({ dir: resolve(folder, text(settings, "dir")) })
    }
    if (settings.driver !== "postgres") throw unknown(settings)
    const { openPostgresStore } = await load(() => import("./core/drivers/store-postgres/index.ts"))
    return openPostgresStore({ url: text(settings, "url") })
  },
  async objects(settings, zone, folder) {
    if (settings.driver === "folder") {
      const { openFolderObjects } = await load(() => import("./core/drivers/objects-folder/index.ts"))
      // Below phi no file may tell when it was written.
      const time = zone === "phi" ? {} : { mtime: 0 }
      return openFolderObjects({ dir: `${resolve(folder, text(settings, "dir"))}-${zone}`, ...time })
    }
    if (settings.driver !== "s3") throw unknown(settings)
    const { openS3Objects } = await load(() => import("./core/drivers/objects-s3/index.ts"))
    return openS3Objects(s3Options(settings, zone))
  },
  checks: {
    async log(settings, use) {
      if (settings.driver !== "kafka") return []
      const { checkKafka } = await load(() => import("./core/drivers/log-kafka/check.ts"))
      return checkKafka(kafkaOptions(settings), use)
    },
    async store(settings) {
      if (settings.driver !== "postgres") return []
      const { checkPostgres } = await load(() => import("./core/drivers/store-postgres/check.ts"))
      return checkPostgres(text(settings, "url"))
    },
    async objects(settings, zone) {
      if (settings.driver !== "s3") return []
      const { checkS3 } = await load(() => import("./core/drivers/objects-s3/check.ts"))
      return checkS3(`objects ${zone}`, s3Options(settings, zone))
    },
  },
}

function kafkaOptions(settings: DriverSettings): KafkaLogOptions {
  const { brokers, "client-id": clientId, ssl, sasl, replication } = settings
  return {
    brokers: brokers as readonly string[],
    ...(clientId === undefined ? {} : { clientId: String(clientId) }),
    ...(ssl === undefined ? {} : { ssl: ssl as boolean }),
    ...(sasl === undefined ? {} : { sasl: sasl as never }),
    ...(replication === undefined ? {} : { topicDefaults: { replication: Number(replication) } }),
  }
}

function s3Options(settings: DriverSettings, zone: Zone): S3ObjectsOptions {
  const { endpoint, region, "access-key": accessKeyId, "secret-key": secretAccessKey } = settings
  const { "path-style": forcePathStyle } = settings
  return {
    bucket: `${text(settings, "bucket")}-${zone}`,
    ...(endpoint === undefined ? {} : { endpoint: String(endpoint) }),
    ...(region === undefined ? {} : { region: String(region) }),
    ...(forcePathStyle === undefined ? {} : { forcePathStyle: forcePathStyle === true }),
    ...(accessKeyId === undefined || secretAccessKey === undefined
      ? {}
      : { credentials: { accessKeyId: String(accessKeyId), secretAccessKey: String(secretAccessKey) } }),
  }
}

/** Imports a driver; a package that is not installed is fatal, code `missing-package`. */
async function load<T>(importing: () => Promise<T>): Promise<T> {
  try {
    return await importing()
  } catch (error) {
    const { code, message } = error as { readonly code?: unknown; readonly message?: string }
    const name = code === "ERR_MODULE_NOT_FOUND" ? /Cannot find package '([^']+)'/.exec(message ?? "")?.[1] : undefined
    if (name === undefined) throw error
    throw fatal("missing-package", `the driver needs the package ${name}, which is not installed`, {
      hint: `npm install ${name}`,
      cause: error,
    })
  }
}

function text(settings: DriverSettings, name: string): string {
  const value = settings[name]
  if (typeof value === "string" && value !== "") return value
  throw fatal("missing-setting", `driver ${settings.driver} needs ${name}`, { hint: "see the pipeline file" })
}

const unknown = ({ driver }: DriverSettings) => fatal("unknown-driver", `there is no driver ${JSON.stringify(driver)}`)

/** DICOM files begin with a preamble and a prefix (PS3.10, 7.1). */
const dicomTexts: App["dicomTexts"] = (bytes) =>
  Buffer.from(bytes.subarray(128, 132)).toString("latin1") === "DICM" ? textsOf(bytes) : undefined

const app: App = {
  builtIns,
  drivers,
  synthesize: async (options) => (await import("./synth/index.ts")).generate(options) as never,
  deidentifyFolder: async (request) =>
    (await import("./cli/deid/index.ts")).deidentifyFolder({
      ...request,
      openStore: async (dir) => drivers.store({ driver: "embedded", dir }, dir),
    }),
  dicomTexts,
}

/** Runs `weir` with these arguments; resolves to the exit code. */
export const main = (argv: readonly string[], io: Io): Promise<number> => dispatch(argv, app, io)
