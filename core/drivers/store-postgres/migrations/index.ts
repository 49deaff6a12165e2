import { sql as store } from "./0001-store.ts"
import { sql as waiting } from "./0002-waiting.ts"
import { sql as vault } from "./0003-vault.ts"
import { sql as counted } from "./0004-counted.ts"
import { sql as reviews } from "./0005-reviews.ts"
import { sql as keys } from "./0006-keys.ts"

/** Forward only: the number of a migration is its place here, from 1. One that was released never changes. */
export const migrations: readonly { readonly name: string; readonly sql: string }[] = [
  { name: "0001-store", sql: store },
  { name: "0002-waiting", sql: waiting },
  { name: "0003-vault", sql: vault },
  { name: "0004-counted", sql: counted },
  { name: "0005-reviews", sql: reviews },
  { name: "0006-keys", sql: keys },
]
