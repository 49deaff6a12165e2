import { execFile } from "node:child_process"
import { cpus } from "node:os"

/** Errors of a file by dciodvfy, without the values that it names; undefined when it is not installed. */
export function dciodvfyErrors(path: string): Promise<ReadonlySet<string> | undefined> {
  return new Promise((resolve, reject) => {
    execFile("dciodvfy", [path], { timeout: 60_000, maxBuffer: 64 << 20 }, (error, stdout, stderr) => {
      if ((error as NodeJS.ErrnoException | null)?.code === "ENOENT") return resolve(undefined)
      if (error?.killed === true) return reject(new Error("dciodvfy took more than a minute"))
      const lines = `${stdout}\n${stderr}`.split("\n").filter((line) => /^\s*Error\b/.test(line))
      resolve(new Set(lines.map(withoutValues)))
    })
  })
}

/** A message by which a value cannot be known, the same for the same fault of another value. */
export const withoutValues = (line: string): string =>
  line
    .trim()
    .replaceAll(/= '.*$/g, "= ''")
    .replaceAll(/"[^"]*"/g, '""')
    .replaceAll(/(\[\d+\] )?= <[^>]*>/g, "= <>")
    .replaceAll(/(values? (are|is)|has value of) .*$/g, "$1 ...")
    .replaceAll(/(value|as|UID) <[^>]*>/g, "$1 <>")
    .replaceAll(/<[\d.\\+-]*>/g, "<>")
    .replaceAll(/length is \d+/g, "length")

/** Runs work over items, as many at a time as there are processors. */
export async function everywhere<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const left = [...items]
  const worker = async () => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item)
  }
  await Promise.all(cpus().map(worker))
}
