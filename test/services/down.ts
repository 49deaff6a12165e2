import { down } from "./start.ts"

const ended = await down()
console.log(ended.length === 0 ? "no services were up" : `ended ${ended.join(", ")}`)
