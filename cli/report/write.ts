import { chmod, open } from "node:fs/promises"
import { fatal } from "../../core/errors.ts"

/** Writes a report anew; only its owner may read it. Throws fatal `report-unwritable`. */
export async function writeOwn(path: string, text: string): Promise<void> {
  try {
    const file = await open(path, "w", 0o600)
    try {
      // An older file keeps its mode when it is opened.
      await chmod(path, 0o600)
      await file.writeFile(text)
    } finally {
      await file.close()
    }
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw fatal("report-unwritable", `the report cannot be written (${code ?? "unknown"})`, { path: "out", cause })
  }
}

/** Whether a path names a page. */
export const isPage = (path: string): boolean => /\.html?$/i.test(path)
