import { connect } from "node:net"
import type { Socket } from "node:net"
import { afterEach, describe, expect, it } from "vitest"
import { hl7v2Mllp } from "../../connectors/hl7v2/index.ts"
import { acknowledgement } from "../../connectors/hl7v2/acknowledge.ts"
import { Frames } from "../../connectors/hl7v2/frames.ts"
import type { Hl7v2Message } from "../../core/index.ts"
import { parseMessage } from "../../formats/hl7v2/index.ts"
import { pluginContract, sourceRun, testContext } from "../kit/index.ts"
import type { SourceHarness } from "../kit/index.ts"

const head = (id: string, more = "") =>
  `MSH|^~\\&|APP|HOSP|RIS|WEIR|20240229103000||ORU^R01^ORU_R01|${id}|P|2.5.1${more}`
const message = (id: string, more = "") =>
  `${head(id, more)}\rPID|1||MRN-471147^^^HOSP^MR||Testperson^Alva||19500101|F\rOBX|1|TX|a^b^L||of ${id}\r`
const block = (text: string) => Buffer.from(`\x0b${text}\x1c\r`)

pluginContract(hl7v2Mllp, [
  {
    name: "a listener to whom nobody speaks",
    canaries: ["Testperson"],
    open: async () => ({ options: { port: 0 }, context: { name: "mllp" }, close: async () => {} }),
    check: ({ appended, failed }) => expect([appended.length, failed.length]).toEqual([0, 0]),
  },
])

/** A sender: writes, and reads blocks one by one. */
class Sender {
  readonly socket: Socket
  readonly closed: Promise<void>
  readonly #frames = new Frames(1e6)
  readonly #answers: string[] = []
  #more = () => {}

  constructor(port: number) {
    this.socket = connect({ port, host: "127.0.0.1" })
    this.socket.on("data", (chunk) => {
      for (const frame of this.#frames.push(chunk))
        if (frame.kind === "message") this.#answers.push(Buffer.from(frame.bytes).toString())
      this.#more()
    })
    this.socket.on("error", () => {})
    this.closed = new Promise((done) => this.socket.on("close", () => done()))
  }

  async answer(): Promise<string> {
    while (this.#answers.length === 0) await new Promise<void>((done) => (this.#more = done))
    return this.#answers.shift()!
  }

  get waiting(): number {
    return this.#answers.length
  }

  async say(bytes: Uint8Array): Promise<string> {
    this.socket.write(bytes)
    return this.answer()
  }
}

const msa = (ack: string): readonly string[] =>
  parseMessage(Buffer.from(ack))
    .segments.find(({ name }) => name === "MSA")!
    .fields.slice(1, 3)

describe("an MLLP listener", { timeout: 30_000 }, () => {
  let harness: SourceHarness
  let ended: Promise<void>
  const senders: Sender[] = []
  const warned: string[] = []

  async function start(options: object = {}, run: SourceHarness = sourceRun()): Promise<number> {
    harness = run
    warned.length = 0
    let taken: (port: number) => void = () => {}
    const port = new Promise<number>((done) => (taken = done))
    const log = {
      info: (_: string, fields: object = {}) => taken((fields as { port: number }).port),
      warn: (event: string) => void warned.push(event),
      error: (event: string) => void warned.push(event),
    }
    const instance = await hl7v2Mllp.create({ port: 0, ...options } as never, testContext({ name: "mllp", log }))
    ended = instance.run(harness.run)
    return port
  }
  const sender = (port: number): Sender => {
    const made = new Sender(port)
    senders.push(made)
    return made
  }
  afterEach(async () => {
    for (const { socket } of senders.splice(0)) socket.destroy()
    harness.stop()
    await ended
  })
  const values = () => harness.appended.map(({ record }) => record.value as Hl7v2Message)

  it("acknowledges a message with AA, in the name of whom it was sent to", async () => {
    const ack = await sender(await start()).say(block(message("77")))
    expect(ack).toMatch(
      /^MSH\|\^~\\&\|RIS\|WEIR\|APP\|HOSP\|\d{14}\+0000\|\|ACK\^R01\^ACK\|[a-z0-9]{11,20}\|P\|2\.5\.1\r/,
    )
    expect(msa(ack)).toEqual(["AA", "77"])
    const [value] = values()
    expect(value).toMatchObject({
      source: "mllp",
      messageType: "ORU^R01^ORU_R01",
      controlId: "77",
      sender: "APP|HOSP",
      patientIds: [{ value: "MRN-471147", authority: "HOSP", type: "MR" }],
      body: message("77"),
    })
    const { record } = harness.appended[0]!
    expect(record).toMatchObject({ key: "HOSP|MRN-471147", id: value!.sha256, time: Date.UTC(2024, 1, 29) })
    expect(record.version).toBe(BigInt(Date.UTC(2024, 1, 29, 10, 30)) * 1_048_576n)
  })

  it("says nothing until the message is durable", async () => {
    const made = sourceRun()
    let durable = () => {}
    const held = new Promise<void>((done) => (durable = done))
    const append = made.run.append.bind(made.run)
    const asked = new Promise<void>((done) => {
      Object.assign(made.run, {
        append: async (...args: Parameters<typeof append>) => {
          done()
          await held
          return append(...args)
        },
      })
    })
    const one = sender(await start({}, made))
    one.socket.write(block(message("1")))
    await asked
    // The answer to another connection has gone the same way, so that one of this would be there.
    expect(one.waiting).toBe(0)
    durable()
    expect(msa(await one.answer())).toEqual(["AA", "1"])
  })

  it("leaves a message unanswered that could not be made durable before the end", async () => {
    const made = sourceRun(undefined, 1)
    const one = sender(await start({}, made))
    expect(msa(await one.say(block(message("1"))))).toEqual(["AA", "1"])
    made.stop()
    one.socket.write(block(message("2")))
    await one.closed
    expect(one.waiting).toBe(0)
    expect(values().map(({ controlId }) => controlId)).toEqual(["1"])
  })

  it("takes messages that come together, in pieces and over several connections, in order", async () => {
    const port = await start()
    const [one, two] = [sender(port), sender(port)]
    const both = Buffer.concat([block(message("1")), Buffer.from("\r\n"), block(message("2"))])
    for (const byte of both) one.socket.write(Uint8Array.of(byte))
    expect(msa(await two.say(block(message("3"))))).toEqual(["AA", "3"])
    expect([msa(await one.answer()), msa(await one.answer())]).toEqual([
      ["AA", "1"],
      ["AA", "2"],
    ])
    const ofOne = values().map(({ controlId }) => controlId)
    expect(ofOne.indexOf("1")).toBeLessThan(ofOne.indexOf("2"))
  })

  it("gives what is sent again the same row", async () => {
    const one = sender(await start())
    await one.say(block(message("1")))
    await one.say(block(message("1")))
    const [first, again] = harness.appended.map(({ record }) => record)
    expect([again!.key, again!.id, again!.version]).toEqual([first!.key, first!.id, first!.version])
  })

  it.each([
    ["a line that is no segment", `${head("5")}\rof Testperson\r`, ["AE", "5"], "hl7v2-segment-malformed"],
    ["no HL7", "Testperson", ["AR", ""], "hl7v2-not-hl7"],
    ["no delimiters", "MSH||", ["AR", ""], "hl7v2-delimiters"],
    ["an unknown character set", message("6", "||||||EBCDIC"), ["AR", ""], "hl7v2-charset"],
    ["a batch", `BHS|^~\\&|A\r${message("7")}BTS|1\r`, ["AR", ""], "hl7v2-batch"],
  ])("tells the sender of %s, after a dead letter without a word of it", async (_, text, told, code) => {
    const one = sender(await start())
    const ack = await one.say(block(text))
    expect(msa(ack)).toEqual(told)
    expect(ack).toContain(code)
    expect(ack).not.toContain("Testperson")
    expect(harness.failed.map(({ error }) => [error.code, error.message.includes("Testperson")])).toEqual([
      [code, false],
    ])
    expect(msa(await one.say(block(message("8"))))).toEqual(["AA", "8"])
  })

  it("hangs up on what is no MLLP, and on a message without end", async () => {
    const port = await start({ "max-bytes": 1000 })
    for (const bytes of [
      Buffer.from("GET / HTTP/1.1\r\n"),
      Buffer.concat([Uint8Array.of(0x0b), Buffer.alloc(5000, 65)]),
    ]) {
      const one = sender(port)
      expect(msa(await one.say(bytes))).toEqual(["AR", ""])
      await one.closed
    }
    expect(harness.failed.map(({ error }) => error.code)).toEqual(["mllp-not-framed", "mllp-message-too-long"])
  })

  it("gives up a message that was cut off, unanswered, and takes it when it comes whole", async () => {
    const port = await start()
    const cut = sender(port)
    cut.socket.end(block(message("1")).subarray(0, 100))
    await cut.closed
    const again = sender(port)
    again.socket.write(block(message("2")).subarray(0, 100))
    expect(msa(await again.say(block(message("2"))))).toEqual(["AA", "2"])
    expect(cut.waiting).toBe(0)
    expect(values().map(({ controlId }) => controlId)).toEqual(["2"])
    expect(warned).toEqual(["mllp-truncated", "mllp-truncated"])
  })

  it("does not answer an answer", async () => {
    const one = sender(await start())
    one.socket.write(block("MSH|^~\\&|A|B|C|D|20240229||ACK|1|P|2.5\rMSA|AA|9\r"))
    expect(msa(await one.say(block(message("2"))))).toEqual(["AA", "2"])
    expect(harness.dropped).toEqual(["acknowledgement"])
  })

  it("answers in enhanced mode by a commit, and only where one is asked for", () => {
    const code = (more: string, outcome: "accepted" | "error") => {
      const given = parseMessage(Buffer.from(message("1", more)))
      const ack = acknowledgement(given, outcome, { id: "x", now: 0 })
      return ack === undefined ? undefined : msa(ack)[0]
    }
    expect([code("", "accepted"), code("", "error")]).toEqual(["AA", "AE"])
    expect([code("|||AL", "accepted"), code("|||AL", "error")]).toEqual(["CA", "CE"])
    expect([code("|||SU", "accepted"), code("|||SU", "error")]).toEqual(["CA", undefined])
    expect([code("|||ER", "accepted"), code("|||ER", "error")]).toEqual([undefined, "CE"])
    expect([code("|||NE|AL", "accepted"), code("||||AL", "accepted")]).toEqual([undefined, "CA"])
  })

  it("answers in the delimiters of the message", async () => {
    const other = "MSH!$*?%!A!B!C!D!20240229!!ADT$A08!9!P!2.3\rPID!1!!7$$$X\r"
    expect(await sender(await start()).say(block(other))).toMatch(
      /^MSH!\$\*\?%!C!D!A!B!\d+\+0000!!ACK\$A08\$ACK!\w+!P!2\.3\rMSA!AA!9!\r$/,
    )
  })

  it("is open to other machines only where it knows them, and speaks to these alone", async () => {
    const context = testContext({ name: "mllp" })
    const make = (options: object) => hl7v2Mllp.create({ port: 0, ...options } as never, context)
    await expect(make({ host: "0.0.0.0" })).rejects.toMatchObject({ code: "listen-open" })
    await expect(make({ host: "::", tls: { cert: "c", key: "k" } })).rejects.toMatchObject({ code: "listen-open" })
    await expect(make({ peers: ["ris.hospital.example"] })).rejects.toMatchObject({ code: "peer-unknown" })
    await make({ host: "0.0.0.0", peers: ["10.1.0.0/16"] })
    const port = await start({ peers: ["10.1.0.0/16"] })
    const one = sender(port)
    one.socket.write(block(message("1")))
    await one.closed
    expect(harness.appended).toEqual([])
  })

  it("does not start where the port is another's", async () => {
    const port = await start()
    const second = await hl7v2Mllp.create({ port } as never, testContext({ name: "mllp" }))
    await expect(second.run(sourceRun().run)).rejects.toMatchObject({ meaning: "fatal", code: "listen-failed" })
  })
})
