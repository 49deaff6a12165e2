import type { Objects } from "../ports/objects.ts"
import type { Store } from "../ports/store.ts"
import type { Zone } from "../record.ts"
import type { Sealing } from "../sealing/sealing.ts"

/** A bucket whose puts first refresh the object's row in the Store, so that no sweep takes what is just being written. */
export function refreshing(objects: Objects, store: Pick<Store, "objects">, zone: Zone): Objects {
  return {
    driver: objects.driver,
    async put(key, body) {
      await store.objects.refresh(zone, [key])
      return objects.put(key, body)
    },
    async putIfAbsent(key, body) {
      await store.objects.refresh(zone, [key])
      return objects.putIfAbsent(key, body)
    },
    get: (key, range) => objects.get(key, range),
    bytes: (key) => objects.bytes(key),
    head: (key) => objects.head(key),
    list: (prefix) => objects.list(prefix),
    delete: (keys) => objects.delete(keys),
    close: () => objects.close(),
  }
}

/** The bucket of a zone as stages, sources and codecs see it: what they put has a row in the Store, and is sealed where the pipeline
 * says so. */
export const tracked = (
  objects: Objects,
  zone: Zone,
  { store, sealing }: { readonly store: Pick<Store, "objects">; readonly sealing?: Sealing | undefined },
): Objects => (sealing?.seals(zone) === true ? sealing.objects(objects, zone) : refreshing(objects, store, zone))
