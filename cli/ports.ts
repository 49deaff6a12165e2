import { tracked } from "../core/engine/objects.ts"
import { readSecrets } from "../core/engine/open.ts"
import type { CompiledPipeline } from "../core/pipeline/model.ts"
import type { Log } from "../core/ports/log.ts"
import type { Objects } from "../core/ports/objects.ts"
import type { Store } from "../core/ports/store.ts"
import type { Zone } from "../core/record.ts"
import { openSealing } from "../core/sealing/sealing.ts"
import type { App, Io } from "./app.ts"

async function using<P extends { close(): Promise<void> }, T>(port: P, act: (port: P) => Promise<T>): Promise<T> {
  try {
    return await act(port)
  } finally {
    await port.close()
  }
}

/** Opens a pipeline's Log for one act. */
export const withLog = async <T>(
  pipeline: CompiledPipeline,
  app: Pick<App, "drivers">,
  act: (log: Log) => Promise<T>,
) => using(await app.drivers.log(pipeline.log, pipeline.folder), act)

/** Opens a pipeline's Log for one act, to read; what is sealed there is opened, and what is erased is passed over. */
export async function withOpenedLog<T>(
  pipeline: CompiledPipeline,
  app: Pick<App, "drivers">,
  io: Pick<Io, "environment">,
  act: (log: Log) => Promise<T>,
): Promise<T> {
  if (pipeline.encrypt === undefined) return withLog(pipeline, app, act)
  const secrets = await readSecrets(pipeline, io.environment)
  return withStore(pipeline, app, async (store) => {
    const sealing = (await openSealing(pipeline, secrets, store))!
    return withLog(pipeline, app, (log) => act(sealing.log(log)))
  })
}

/** Opens a pipeline's Store for one act. */
export const withStore = async <T>(
  pipeline: CompiledPipeline,
  app: Pick<App, "drivers">,
  act: (store: Store) => Promise<T>,
) => using(await app.drivers.store(pipeline.store, pipeline.folder), act)

/** Opens the bucket of a zone for one act, as it is. */
export const withBucket = async <T>(
  pipeline: CompiledPipeline,
  zone: Zone,
  app: Pick<App, "drivers">,
  act: (objects: Objects) => Promise<T>,
) => using(await app.drivers.objects(pipeline.objects, zone, pipeline.folder), act)

/** Opens the bucket of a zone for one act, to read; what is sealed there is opened. */
export async function withObjects<T>(
  pipeline: CompiledPipeline,
  zone: Zone,
  app: Pick<App, "drivers">,
  io: Pick<Io, "environment">,
  act: (objects: Objects) => Promise<T>,
): Promise<T> {
  if (pipeline.encrypt === undefined || zone !== "phi") return withBucket(pipeline, zone, app, act)
  const secrets = await readSecrets(pipeline, io.environment)
  return withStore(pipeline, app, async (store) => {
    const sealing = await openSealing(pipeline, secrets, store)
    return withBucket(pipeline, zone, app, (objects) => act(tracked(objects, zone, { store, sealing })))
  })
}

/** Writes down that somebody is about to look at `phi`; what is not written down is not shown. */
export const audited = (pipeline: CompiledPipeline, app: Pick<App, "drivers">, action: string, detail: string) =>
  withStore(pipeline, app, (store) => store.audit(action, detail))
