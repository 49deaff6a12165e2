import { afterAll, beforeAll } from "vitest"
import { openPostgresStore } from "../../core/drivers/store-postgres/index.ts"
import { storeContract } from "../kit/store-contract.ts"
import { services } from "../services/addresses.ts"
import { dropDatabase, freshDatabase, postgresSuite } from "./store-postgres-suite.ts"
import { vaultSuite } from "./vault-suite.ts"

const server = services().postgres
let url: string
beforeAll(async () => {
  url = await freshDatabase(server)
})
afterAll(() => dropDatabase(url))

storeContract("a PostgreSQL server", {
  open: () => openPostgresStore({ url }),
  openAt: (address) => openPostgresStore({ url: address }),
})

postgresSuite("a PostgreSQL server", () => server)
vaultSuite("a PostgreSQL server", () => url)
