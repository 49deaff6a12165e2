import { logContract } from "../kit/log-contract.ts"
import { objectsContract } from "../kit/objects-contract.ts"
import type { Proxy } from "../kit/proxy.ts"
import { storeContract } from "../kit/store-contract.ts"
import { SimBroker } from "./broker.ts"
import { LiveWorld } from "./live.ts"
import { SimLog } from "./log.ts"
import { SimBucket } from "./objects.ts"
import { SimDatabase } from "./store.ts"
import type { Line } from "./store.ts"
import { SimProcess } from "./world.ts"

let processes = 0
const process = () => new SimProcess(`p${++processes}`)

const brokers = new SimBroker(new LiveWorld(), 6000, {}, true)
logContract("the simulated Log", async () => new SimLog(brokers, process()))

objectsContract("the simulated bucket", async () => new SimBucket(new LiveWorld()).connect(process()))

const world = new LiveWorld()
const database = new SimDatabase(world)
const lines = new Map<string, { readonly line: Line; readonly process: SimProcess }>()

/** What a TCP proxy does to connections, done to the line of one process. */
async function openLine(): Promise<Proxy> {
  const line: Line = { roundTrips: 0, cut: undefined, refusing: false }
  const owner = process()
  lines.set(owner.name, { line, process: owner })
  return {
    url: owner.name,
    get roundTrips() {
      return line.roundTrips
    },
    cutAt: (_, what) => void (line.cut = what),
    refuse: (on) => void (line.refusing = on),
    freeze: (on) => world.freeze(owner, on),
    close: async () => void lines.delete(owner.name),
  }
}

storeContract("the simulated Store", {
  open: async () => database.connect(process()),
  openAt: async (url) => {
    const { line, process } = lines.get(url)!
    return database.connect(process, line)
  },
  openProxy: openLine,
  queries: false,
})
