import type { FileHandle } from "node:fs/promises"

/** How bytes get to the disk; tests let it fail. */
export interface Disk {
  write(file: FileHandle, bytes: readonly Buffer[], position: number): Promise<void>
  sync(file: FileHandle): Promise<void>
}

/** Writes all of it, and syncs what is needed to read it back. */
export const realDisk: Disk = {
  async write(file, bytes, position) {
    let [left, at] = [bytes, position]
    while (left.length > 0) {
      const { bytesWritten } = await file.writev(left, at)
      at += bytesWritten
      left = rest(left, bytesWritten)
    }
  },
  sync: (file) => file.datasync(),
}

function rest(buffers: readonly Buffer[], written: number): Buffer[] {
  let skip = written
  const left: Buffer[] = []
  for (const each of buffers) {
    if (skip < each.length) left.push(each.subarray(skip))
    skip = Math.max(0, skip - each.length)
  }
  return left
}
