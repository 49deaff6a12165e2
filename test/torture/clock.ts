import { readFileSync } from "node:fs"

/** Preloaded into a Weir process: shifts its calendar clock by what a file says, in ms, read again at each SIGUSR2. The monotonic
 * clock goes on as it was. */
const file = process.env["TORTURE_CLOCK"] ?? ""
let shift = 0
const read = () => {
  try {
    shift = Number(readFileSync(file, "utf8")) || 0
  } catch {
    shift = 0
  }
}
read()
process.on("SIGUSR2", read)

const True = Date
const now = (): number => True.now() + shift

globalThis.Date = new Proxy(True, {
  construct: (target, args: [], newTarget) => Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget),
  apply: () => new True(now()).toString(),
  get: (target, name) => (name === "now" ? now : Reflect.get(target, name)),
})
