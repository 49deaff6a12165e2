import type { Command } from "../command.ts"
import { jsonOption } from "../command.ts"
import { UsageError, exit } from "../exit.ts"
import { columns, json } from "../table.ts"
import { actOf, newKey, projectOption, reasonOption, rotateRing, withCustodian } from "../vault/open.ts"

export const vaultReveal: Command = {
  name: "vault reveal",
  summary: "Tells what stands behind a pseudonym, mapped id or UID; who asked and why is written down first",
  positionals: ["FILE", "PSEUDONYM"],
  options: { reason: reasonOption, project: projectOption, json: jsonOption },
  more: "Of a person it tells every identifier that was ever released under the pseudonym: after a mistaken merge, of both.",
  async run(args, app, io) {
    const act = actOf(args, io, this.name)
    const code = args.positionals[1]!
    const found = await withCustodian(args, app, io, this.name, (custodian) => custodian.reveal(code, act))
    if (args.flag("json")) io.stdout.write(`${json(found, 2)}\n`)
    else if (found.length > 0) {
      const rows = found.map(({ kind, namespace, value, person }) => [kind, namespace, value, person])
      io.stdout.write(`${columns([["kind", "namespace", "value", "person"], ...rows]).join("\n")}\n`)
    }
    if (found.length === 0) io.stderr.write("the vault of this project does not know it\n")
    return found.length === 0 ? exit.failed : exit.ok
  },
}

export const vaultAudit: Command = {
  name: "vault audit list",
  summary: "Lists who looked into the vault, rotated its key or erased a person, and why",
  positionals: ["FILE"],
  options: { project: projectOption, json: jsonOption },
  async run(args, app, io) {
    const { lines } = await withCustodian(args, app, io, this.name, (custodian) => custodian.audit())
    const rows = lines.map(({ number, at, actor, action, detail }) => ({ number, at, actor, action, detail }))
    if (args.flag("json")) io.stdout.write(`${json(rows, 2)}\n`)
    else {
      const head = ["number", "at", "actor", "action", "detail"]
      io.stdout.write(`${columns([head, ...rows.map((row) => Object.values(row).map(String))]).join("\n")}\n`)
    }
    return exit.ok
  },
}

export const vaultVerify: Command = {
  name: "vault audit verify",
  summary: "Checks that no line of the vault's audit was changed or taken away, and prints where it ends",
  positionals: ["FILE"],
  options: {
    noted: {
      value: "NUMBER:HASH",
      doc: "where it ended when it was verified before: what was cut off since is noticed",
    },
    project: projectOption,
  },
  more: "Note down what it prints, outside of the database: a chain cannot tell by itself that its end was cut off.",
  async run(args, app, io) {
    const noted = args.text("noted")
    if (noted !== undefined && !/^\d+:[0-9a-f]*$/.test(noted))
      throw new UsageError(["--noted expects NUMBER:HASH, as vault audit verify prints it"], this.name)
    const { lines, broken, place } = await withCustodian(args, app, io, this.name, (custodian) =>
      custodian.audit(noted),
    )
    if (broken === undefined) {
      io.stdout.write(`${place}\n`)
      io.stderr.write(`${lines.length} ${lines.length === 1 ? "line" : "lines"}, none changed\n`)
      return exit.ok
    }
    io.stderr.write(`line ${broken} was changed, or is missing: what follows from there proves nothing\n`)
    return exit.failed
  },
}

export const vaultRotate: Command = {
  name: "vault rotate",
  summary: "Wraps the vault's own key under another envelope key; what is sealed, and every pseudonym, stays",
  positionals: ["FILE"],
  options: {
    "new-key-file": { value: "PATH", doc: "file with the new envelope key, 32 bytes or more (required)" },
    reason: reasonOption,
    project: projectOption,
  },
  more: "Then put the new key where the pipeline's secret is read from. The project key is not rotated: another one is another project.",
  async run(args, app, io) {
    const act = actOf(args, io, this.name)
    const path = args.text("new-key-file")
    if (path === undefined) throw new UsageError(["vault rotate needs --new-key-file"], this.name)
    const key = await newKey(path, this.name)
    await withCustodian(args, app, io, this.name, async (custodian, ring) => {
      if (ring !== undefined) await rotateRing(ring, key, act)
      await custodian.rotate(key, act)
    })
    io.stdout.write("rotated: the old envelope key opens the vault no more\n")
    return exit.ok
  },
}
