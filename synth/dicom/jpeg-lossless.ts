import type { Frame } from "./frame.ts"

/** All 17 difference categories have codes of five bits: the code is the category (ITU-T T.81 H.1.2.2, K.2). */
const codeLength = 5
const categories = Array.from({ length: 17 }, (_, category) => category)

const u16 = (value: number): number[] => [value >> 8, value & 0xff]
const marker = (code: number, body: readonly number[]): number[] => [0xff, code, ...u16(body.length + 2), ...body]

class Bits {
  readonly bytes: number[] = []
  #held = 0
  #count = 0

  put(value: number, count: number): void {
    for (let bit = count - 1; bit >= 0; bit--) {
      this.#held = (this.#held << 1) | ((value >> bit) & 1)
      if (++this.#count === 8) this.#byte()
    }
  }

  #byte(): void {
    this.bytes.push(this.#held)
    if (this.#held === 0xff) this.bytes.push(0)
    this.#held = 0
    this.#count = 0
  }

  end(): readonly number[] {
    while (this.#count > 0) this.put(1, 1)
    return this.bytes
  }
}

/** Selection value 1: the sample to the left; in the first column the one above (T.81 H.1.2.1). */
function predicted({ samples, columns, bits }: Frame, at: number): number {
  if (at === 0) return 2 ** (bits - 1)
  return at % columns === 0 ? samples[at - columns]! : samples[at - 1]!
}

function scan(frame: Frame): readonly number[] {
  const bits = new Bits()
  for (const [at, sample] of frame.samples.entries()) {
    const difference = sample - predicted(frame, at)
    const category = 32 - Math.clz32(Math.abs(difference))
    bits.put(category, codeLength)
    bits.put(difference < 0 ? difference + 2 ** category - 1 : difference, category)
  }
  return bits.end()
}

/** A frame in JPEG Lossless, process 14, selection value 1 (ITU-T T.81 annex H).
 * @param exif an APP1 segment with this text goes in */
export function encodeJpegLossless(frame: Frame, exif?: string): Uint8Array {
  const lengths = Array.from({ length: 16 }, (_, at) => (at === codeLength - 1 ? categories.length : 0))
  const app1 = exif === undefined ? [] : marker(0xe1, [...Buffer.from(`Exif\0\0${exif}`, "latin1")])
  return Uint8Array.from([
    0xff,
    0xd8,
    ...app1,
    ...marker(0xc3, [frame.bits, ...u16(frame.rows), ...u16(frame.columns), 1, 1, 0x11, 0]),
    ...marker(0xc4, [0, ...lengths, ...categories]),
    ...marker(0xda, [1, 1, 0, 1, 0, 0]),
    ...scan(frame),
    0xff,
    0xd9,
  ])
}
