import type { Type } from "avsc"

/** A value that is not of its schema, or bytes that are not; `path` tells where. Never holds a value. */
export class AvroFault extends Error {
  override readonly name = "AvroFault"
  readonly path: string
  constructor(message: string, path = "") {
    super(path === "" ? message : `${path}: ${message}`)
    this.path = path
  }
}

const headerBytes = 5
let scratch = Buffer.allocUnsafe(64 * 1024)

/** Encodes after `header` unwritten bytes; what comes back is the caller's own. */
export function encodeAfter(type: Type, value: unknown, header: number): Buffer {
  try {
    let end = type.encode(value, scratch, header)
    if (end < 0) {
      // A negative result is what was missing.
      scratch = Buffer.allocUnsafe((scratch.length - end) * 2)
      end = type.encode(value, scratch, header)
    }
    const own = Buffer.from(scratch.subarray(0, end))
    // One large value must not pin its size for good.
    if (scratch.length > 4 << 20) scratch = Buffer.allocUnsafe(64 * 1024)
    return own
  } catch {
    throw faultOf(type, value)
  }
}

/** avsc's own messages quote the value, so only the path and the expected type are told. */
function faultOf(type: Type, value: unknown): AvroFault {
  let fault: AvroFault | undefined
  type.isValid(value, {
    errorHook(path, _any, expected) {
      fault ??= new AvroFault(`not of the type ${nameOf(expected)}`, path.join("."))
    },
  })
  return fault ?? new AvroFault("not of the schema")
}

const nameOf = (type: Type): string => type.branchName ?? type.typeName

/** The datum with the Confluent header before it. */
export function encodeMessage(type: Type, value: unknown, schemaId: number): Buffer {
  const bytes = encodeAfter(type, value, headerBytes)
  bytes[0] = 0
  bytes.writeUInt32BE(schemaId, 1)
  return bytes
}

/** The schema id of a message. */
export function schemaIdOf(bytes: Uint8Array): number {
  if (bytes.length < headerBytes || bytes[0] !== 0)
    throw new AvroFault(`${bytes.length} bytes without the header of the Confluent wire format`)
  return ((bytes[1]! << 24) | (bytes[2]! << 16) | (bytes[3]! << 8) | bytes[4]!) >>> 0
}

/** The datum of a message, read by `resolver` if it was written with another schema. */
export function decodeMessage(type: Type, bytes: Uint8Array, resolver?: unknown): unknown {
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  let found: { readonly value: unknown; readonly offset: number } | undefined
  try {
    found = type.decode(buffer, headerBytes, resolver as never)
  } catch {
    // Told below.
  }
  // avsc reads past the end where bytes are missing, and says so by the offset alone.
  if (found?.offset !== buffer.length)
    throw new AvroFault(`${buffer.length - headerBytes} bytes that are not a datum of the schema`)
  return found.value
}
