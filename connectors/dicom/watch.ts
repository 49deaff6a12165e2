import { watch } from "node:fs"

/** Tells that something under a folder may have changed. */
export interface Changes {
  /** Resolves after the next change (at once when there was one since the last call), after `ms`, or when stopped. */
  next(ms: number): Promise<void>
  close(): void
}

/** Watches a folder with all its subfolders. Where the system cannot, or events get lost, `next` still returns after its time:
 * watching only makes scans come sooner. */
export function watchFolder(folder: string, signal: AbortSignal, failed: (code: string) => void): Changes {
  let changed = false
  let wake = (): void => {}
  const notice = (): void => {
    changed = true
    wake()
  }
  const watcher = (() => {
    try {
      const made = watch(folder, { recursive: true, persistent: false }, notice)
      return made.on("error", (error) => failed((error as NodeJS.ErrnoException).code ?? "unknown"))
    } catch (error) {
      failed((error as NodeJS.ErrnoException).code ?? "unknown")
      return undefined
    }
  })()
  signal.addEventListener("abort", notice)
  return {
    async next(ms) {
      if (!changed && !signal.aborted)
        await new Promise<void>((done) => {
          const timer = setTimeout(done, ms)
          wake = () => {
            clearTimeout(timer)
            done()
          }
        })
      changed = false
    },
    close() {
      signal.removeEventListener("abort", notice)
      watcher?.close()
    },
  }
}
