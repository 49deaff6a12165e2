import type { Coding } from "./element.ts"
import { implementationClassUid, implementationVersionName } from "./implementation.ts"
import type { Output } from "./output.ts"
import { OB, SH, UI, UL } from "./vr.ts"

const explicitLittle: Coding = { explicit: true, bigEndian: false }

const text = (value: string, pad: number): Uint8Array => {
  const bytes = Buffer.alloc(value.length + (value.length % 2), pad)
  bytes.write(value, "latin1")
  return bytes
}

/** Writes an empty preamble, `DICM` and new file meta information (PS3.10 7.1): the six elements that are needed and no others, so
 * that titles, addresses and private information of the sender end here. */
export function writeFileMeta(
  output: Output,
  sopClassUid: string,
  sopInstanceUid: string,
  transferSyntax: string,
): void {
  const elements: readonly (readonly [number, number, Uint8Array])[] = [
    [0x00020001, OB, Uint8Array.of(0, 1)],
    [0x00020002, UI, text(sopClassUid, 0)],
    [0x00020003, UI, text(sopInstanceUid, 0)],
    [0x00020010, UI, text(transferSyntax, 0)],
    [0x00020012, UI, text(implementationClassUid, 0)],
    [0x00020013, SH, text(implementationVersionName, 0x20)],
  ]
  const length = elements.reduce((sum, [, vr, value]) => sum + (vr === OB ? 12 : 8) + value.length, 0)
  output.append(new Uint8Array(128))
  output.append(Uint8Array.of(0x44, 0x49, 0x43, 0x4d))
  output.header(0x00020000, UL, 4, explicitLittle)
  output.append(Uint8Array.of(length & 0xff, length >>> 8, 0, 0))
  for (const [tag, vr, value] of elements) {
    output.header(tag, vr, value.length, explicitLittle)
    output.append(value)
  }
}
