import { execFileSync } from "node:child_process"
import { existsSync, mkdirSync, readFileSync, rmSync, statfsSync, truncateSync, writeFileSync } from "node:fs"
import { join } from "node:path"

/** A small file system of its own: an ext4 image, mounted through a loop device, so that it is there again after a restart. */
export class SmallDisk {
  readonly path: string
  readonly #image: string
  readonly #bytes: number

  constructor(path: string, bytes: number) {
    this.path = path
    this.#image = `${path}.img`
    this.#bytes = bytes
  }

  get mounted(): boolean {
    return readFileSync("/proc/mounts", "utf8").includes(` ${this.path} `)
  }

  /** @throws where this system does not let mount; nothing is left then but a folder */
  mount(): void {
    mkdirSync(this.path, { recursive: true })
    if (this.mounted) return
    if (!existsSync(this.#image)) {
      writeFileSync(this.#image, "")
      truncateSync(this.#image, this.#bytes)
      execFileSync("mkfs.ext4", ["-q", "-m", "0", "-i", "4096", this.#image])
    }
    execFileSync("mount", ["-o", "loop,noatime", this.#image, this.path])
    this.empty()
  }

  unmount(): void {
    if (this.mounted) execFileSync("umount", ["-l", this.path])
  }

  get #filler(): string {
    return join(this.path, "filler")
  }

  /** Takes all the space that is left. */
  fill(): void {
    const free = () => {
      const { bavail, bsize } = statfsSync(this.path)
      return bavail * bsize
    }
    for (let part = 0; part < 20 && free() > 0; part++) {
      // What is left is in pieces: each try takes what it can.
      const left = free()
      for (let bytes = left; bytes >= 4096; bytes = Math.floor(bytes / 2)) {
        if (this.#allocate(part, bytes)) break
      }
      if (free() === left) break
    }
  }

  #allocate(part: number, bytes: number): boolean {
    try {
      execFileSync("fallocate", ["-l", String(bytes), `${this.#filler}-${part}`], { stdio: "ignore" })
      return true
    } catch {
      return false
    }
  }

  /** Gives the space back. */
  empty(): void {
    for (let part = 0; part < 20; part++) rmSync(`${this.#filler}-${part}`, { force: true })
  }
}

/** Whether this system lets mount a file; the reason why not. */
export function mountable(folder: string): true | string {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return "needs Linux and root"
  const disk = new SmallDisk(join(folder, "try"), 8 << 20)
  try {
    disk.mount()
    disk.unmount()
    return true
  } catch (error) {
    return (error as Error).message.split("\n")[0]!
  } finally {
    rmSync(join(folder, "try"), { recursive: true, force: true })
    rmSync(join(folder, "try.img"), { force: true })
  }
}
