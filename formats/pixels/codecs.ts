import { PixelsUnreadable } from "./unreadable.ts"

/** What emscripten codecs say of a frame. */
export interface CodecFrame {
  readonly width: number
  readonly height: number
  readonly bitsPerSample: number
  readonly componentCount: number
  readonly isSigned?: boolean
}

interface Native {
  delete(): void
}

/** A decoder of the @cornerstonejs codecs: bytes go into its buffer, samples come out of another. */
export interface NativeDecoder extends Native {
  getEncodedBuffer(size: number): Uint8Array
  getDecodedBuffer(): Uint8Array
  decode(): void
  getFrameInfo(): CodecFrame
  /** JPEG-LS: 0 by plane, 1 by line, 2 by sample. */
  getInterleaveMode?(): number
}

/** An encoder of the @cornerstonejs codecs. */
export interface NativeEncoder extends Native {
  getDecodedBuffer(frame: CodecFrame): Uint8Array
  getEncodedBuffer(): Uint8Array
  encode(): void
  setNearLossless?(near: number): void
  setInterleaveMode?(mode: number): void
  setQuality?(lossless: boolean, rate: number): void
}

interface Charls {
  readonly JpegLSDecoder: new () => NativeDecoder
  readonly JpegLSEncoder: new () => NativeEncoder
}
interface OpenJpeg {
  readonly J2KDecoder: new () => NativeDecoder
  readonly J2KEncoder: new () => NativeEncoder
}
interface LibJpeg {
  readonly JPEGDecoder: new () => NativeDecoder
}

/** jpeg-lossless-decoder-js, as far as it is used. */
export interface JpegLossless {
  readonly Decoder: new () => {
    decode(buffer: ArrayBuffer, offset: number, length: number): Uint8Array | Uint16Array
    readonly frame: { readonly dimX: number; readonly dimY: number; readonly precision: number }
    readonly numComp: number
  }
}

/** Loads an optional package once; a failed load is tried again. */
function lazy<T>(name: string, load: () => Promise<unknown>): () => Promise<T> {
  let loaded: Promise<T> | undefined
  return () => {
    loaded ??= load().catch((cause: unknown) => {
      loaded = undefined
      const { code } = cause as NodeJS.ErrnoException
      if (code === "ERR_MODULE_NOT_FOUND" || code === "MODULE_NOT_FOUND")
        throw new PixelsUnreadable("codec-missing", `the package ${name} is not installed: npm install ${name}`)
      throw cause
    }) as Promise<T>
    return loaded
  }
}

/** The factory of a CommonJS module, which is its default export. */
type Factory = (options: { readonly print: () => void; readonly printErr: () => void }) => Promise<unknown>
const silent = () => {}
const made = async (module: Promise<{ readonly default: Factory }>): Promise<unknown> =>
  (await module).default({ print: silent, printErr: silent })

export const charls = lazy<Charls>("@cornerstonejs/codec-charls", () =>
  made(import("@cornerstonejs/codec-charls/wasmjs")),
)
export const openJpeg = lazy<OpenJpeg>("@cornerstonejs/codec-openjpeg", () =>
  made(import("@cornerstonejs/codec-openjpeg/wasmjs")),
)
export const libJpeg = lazy<LibJpeg>("@cornerstonejs/codec-libjpeg-turbo-8bit", () =>
  made(import("@cornerstonejs/codec-libjpeg-turbo-8bit/decodewasmjs")),
)
export const jpegLossless = lazy<JpegLossless>("jpeg-lossless-decoder-js", () => import("jpeg-lossless-decoder-js"))

/** Runs a codec on one frame and frees it. What its C++ throws is a number, and says nothing. */
export function withNative<N extends Native, T>(make: new () => N, use: (native: N) => T): T {
  const native = new make()
  try {
    return use(native)
  } catch (thrown) {
    if (thrown instanceof PixelsUnreadable) throw thrown
    throw new PixelsUnreadable("undecodable", "the codec cannot read the frame")
  } finally {
    native.delete()
  }
}
