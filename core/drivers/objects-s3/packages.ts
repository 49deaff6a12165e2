import type * as ClientS3 from "@aws-sdk/client-s3"
import type * as LibStorage from "@aws-sdk/lib-storage"
import { fatal } from "../../errors.ts"

/** The two packages behind this driver, which are installed only where S3 is used. */
export interface Packages {
  readonly s3: typeof ClientS3
  readonly storage: typeof LibStorage
}

/** Loads the packages; a missing one is fatal, code `missing-package`, and the error says how to install it. */
export async function loadPackages(): Promise<Packages> {
  const [s3, storage] = await Promise.all([
    load("@aws-sdk/client-s3", () => import("@aws-sdk/client-s3")),
    load("@aws-sdk/lib-storage", () => import("@aws-sdk/lib-storage")),
  ])
  return { s3, storage }
}

/** Imports an optional package, or tells which one is missing. */
export async function load<T>(name: string, importing: () => Promise<T>): Promise<T> {
  try {
    return await importing()
  } catch (error) {
    if ((error as { code?: unknown } | null)?.code !== "ERR_MODULE_NOT_FOUND") throw error
    throw fatal("missing-package", `objects in S3 need the package ${name}, which is not installed`, {
      hint: "npm install @aws-sdk/client-s3 @aws-sdk/lib-storage",
      cause: error,
    })
  }
}
