import { execFileSync } from "node:child_process"
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs"
import { hostname, tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import { openFolderObjects } from "../../core/drivers/objects-folder/index.ts"
import { objectsContract } from "../kit/objects-contract.ts"

const made: string[] = []
const folder = () => {
  const dir = mkdtempSync(join(tmpdir(), "weir-objects-"))
  made.push(dir)
  return dir
}
afterAll(() => {
  for (const dir of made) rmSync(dir, { recursive: true, force: true })
})

objectsContract("a folder", () => openFolderObjects({ dir: join(folder(), "new") }))

const everything = (dir: string): string[] =>
  readdirSync(dir, { recursive: true, encoding: "utf8" }).filter((name) => statSync(join(dir, name)).isFile())

const mountable = process.platform === "linux" && process.getuid?.() === 0
if (!mountable) console.warn("skipped: a full disk can be tried only as root on Linux")

describe("a folder of objects", () => {
  it("lets no file or folder tell when it was written", async () => {
    const dir = folder()
    const objects = await openFolderObjects({ dir, mtime: 946_684_800_000 })
    await objects.put("a/b/one", new Uint8Array(10))
    await objects.putIfAbsent("a/two", new Uint8Array(10))
    await objects.put("a/b/gone", new Uint8Array(10))
    await objects.delete(["a/b/gone"])
    for (const path of [".", "a", "a/b", "a/b/one", "a/two"])
      expect(statSync(join(dir, path)).mtimeMs, path).toBe(946_684_800_000)
    await objects.close()
  })

  it("leaves no temporary file behind, whatever happens", async () => {
    const dir = folder()
    const objects = await openFolderObjects({ dir })
    await objects.put("a", new Uint8Array(10))
    expect(await objects.putIfAbsent("a", new Uint8Array(10))).toBe(false)
    await Promise.all([1, 2, 3].map(() => objects.putIfAbsent("b", new Uint8Array(10))))
    await expect(objects.put("a/under", new Uint8Array(10))).rejects.toMatchObject({ code: "object-key" })
    expect(everything(dir).sort()).toEqual(["a", "b"])
    await objects.close()
  })

  it("removes the temporary files of a crash when it is opened, not those of a live writer", async () => {
    const dir = folder()
    const writer = await openFolderObjects({ dir })
    const gate = Promise.withResolvers<void>()
    const begun = Promise.withResolvers<void>()
    const slow = async function* () {
      yield new Uint8Array(10)
      begun.resolve()
      await gate.promise
      yield new Uint8Array(10)
    }
    const putting = writer.put("slow", slow())
    await begun.promise
    const dead = [`${hostname()}~999999999~aaaa~0`, `${hostname()}~${process.pid}~of-another-run~0`]
    const alive = `${hostname()}~${process.ppid}~of-another-process~0`
    for (const name of [...dead, alive]) writeFileSync(join(dir, "~tmp", name), "half")
    const other = await openFolderObjects({ dir })
    expect(everything(dir)).toHaveLength(2)
    expect(everything(dir)).toContain(join("~tmp", alive))
    gate.resolve()
    await putting
    expect((await other.head("slow"))?.size).toBe(20)
    expect(everything(dir).sort()).toEqual(["slow", join("~tmp", alive)])
  })

  it("does not take the failure of a body for its own", async () => {
    const objects = await openFolderObjects({ dir: folder() })
    const body = async function* () {
      yield new Uint8Array(1)
      throw Object.assign(new Error("not found"), { code: "ENOENT" })
    }
    await expect(objects.put("a", body())).rejects.toMatchObject({ message: "not found" })
  })

  it.skipIf(!mountable)("pauses on a full disk, keeps what was there, and goes on when there is room", async () => {
    const dir = folder()
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=2m", "tmpfs", dir])
    try {
      const objects = await openFolderObjects({ dir })
      await objects.put("a", new Uint8Array(1 << 20))
      await expect(objects.put("b", new Uint8Array(3 << 20))).rejects.toMatchObject({
        meaning: "systemic",
        code: "disk-full",
      })
      await expect(objects.put("a", new Uint8Array(3 << 20))).rejects.toMatchObject({ code: "disk-full" })
      expect(everything(dir)).toEqual(["a"])
      expect((await objects.head("a"))?.size).toBe(1 << 20)
      await objects.put("b", new Uint8Array(1 << 19))
      await objects.close()
    } finally {
      execFileSync("umount", [dir])
    }
  })
})
