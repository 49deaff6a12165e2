/** An element to be written, explicit VR little endian; items for a sequence, fragments for encapsulated pixel data. */
export interface Written {
  readonly tag: number
  readonly vr: string
  readonly value: Buffer | readonly (readonly Written[])[]
  readonly fragments?: readonly Buffer[]
}

/** A file to be written. */
export interface WrittenFile {
  readonly preamble: Buffer
  readonly meta: readonly Written[]
  readonly data: readonly Written[]
  readonly trailing: Buffer
}

/** An element; texts in Latin-1, padded to even length. */
export function put(tag: number, vr: string, value: string | Buffer | readonly (readonly Written[])[]): Written {
  if (typeof value !== "string") return { tag, vr, value }
  const bytes = Buffer.from(value, "latin1")
  const pad = Buffer.from(vr === "UI" ? "\0" : " ")
  return { tag, vr, value: bytes.length % 2 === 1 ? Buffer.concat([bytes, pad]) : bytes }
}

const long = new Set(["OB", "OW", "SQ", "UN", "UT"])

function header(tag: number, vr: string, length: number): Buffer {
  const bytes = Buffer.alloc(long.has(vr) ? 12 : 8)
  bytes.writeUInt16LE(tag >>> 16, 0)
  bytes.writeUInt16LE(tag % 0x10000, 2)
  bytes.write(vr, 4, "latin1")
  if (long.has(vr)) bytes.writeUInt32LE(length, 8)
  else bytes.writeUInt16LE(length, 6)
  return bytes
}

function itemOf(bytes: Buffer, tag = 0xe000): Buffer {
  const head = Buffer.from([0xfe, 0xff, tag % 256, tag >>> 8, 0, 0, 0, 0])
  head.writeUInt32LE(bytes.length, 4)
  return Buffer.concat([head, bytes])
}

const inOrder = (elements: readonly Written[]): Buffer =>
  Buffer.concat([...elements].sort((a, b) => a.tag - b.tag).map(bytesOf))

function bytesOf({ tag, vr, value, fragments }: Written): Buffer {
  if (fragments !== undefined) {
    const end = itemOf(Buffer.alloc(0), 0xe0dd)
    return Buffer.concat([header(tag, vr, 0xffffffff), ...fragments.map((each) => itemOf(each)), end])
  }
  const bytes = Buffer.isBuffer(value) ? value : Buffer.concat(value.map((item) => itemOf(inOrder(item))))
  return Buffer.concat([header(tag, vr, bytes.length), bytes])
}

/** The bytes of a file; group length of file meta is added. */
export function fileOf({ preamble, meta, data, trailing }: WrittenFile): Buffer {
  const group = inOrder(meta)
  const length = Buffer.alloc(4)
  length.writeUInt32LE(group.length)
  const first = bytesOf(put(0x00020000, "UL", length))
  return Buffer.concat([preamble, Buffer.from("DICM"), first, group, inOrder(data), trailing])
}

const mr = "1.2.840.10008.5.1.4.1.1.4"
const comment = Buffer.from("fffe000c", "hex")
/** Start of a JPEG frame with a comment segment of ten bytes. */
const frame = (text: string): Buffer =>
  Buffer.concat([Buffer.from("ffd8", "hex"), comment, Buffer.from(text.padEnd(10)), Buffer.from("ffda00080000", "hex")])

const metaOf = (uid: string, implementation: string, encapsulated: boolean): Written[] => [
  put(0x00020001, "OB", Buffer.from([0, 1])),
  put(0x00020002, "UI", mr),
  put(0x00020003, "UI", uid),
  put(0x00020010, "UI", encapsulated ? "1.2.840.10008.1.2.4.50" : "1.2.840.10008.1.2.1"),
  put(0x00020012, "UI", implementation),
]

/** What is the same before and after. */
const kept = (encapsulated: boolean, text: string): Written[] => [
  put(0x00080005, "CS", "ISO_IR 100"),
  put(0x00080008, "CS", "ORIGINAL\\PRIMARY\\OTHER"),
  put(0x00080016, "UI", mr),
  put(0x00080030, "TM", "101500"),
  put(0x00080060, "CS", "MR"),
  put(0x00080070, "LO", "Acme"),
  put(0x00081032, "SQ", [[put(0x00080100, "SH", "6310"), put(0x00080104, "LO", "MRT Oberbauch")]]),
  put(0x00180015, "CS", "HEAD"),
  put(0x00200011, "IS", "1"),
  put(0x00200013, "IS", "7"),
  put(0x00282000, "OB", Buffer.alloc(64, 1)),
  encapsulated
    ? { tag: 0x7fe00010, vr: "OB", value: Buffer.alloc(0), fragments: [Buffer.alloc(0), frame(text)] }
    : put(0x7fe00010, "OW", Buffer.alloc(64, 7)),
]

const references = (series: string, instance: string): Written =>
  put(0x00081115, "SQ", [
    [
      put(0x00081199, "SQ", [[put(0x00081150, "UI", mr), put(0x00081155, "UI", instance)]]),
      put(0x0020000e, "UI", series),
    ],
  ])

/** An original, with identity in each class of place. */
export const original = ({ encapsulated = false, text = "" } = {}): WrittenFile => ({
  preamble: Buffer.from("Quillfeather".padEnd(128)),
  meta: [...metaOf("1.2.826.0.1.11.301", "1.2.826.0.9.1", encapsulated), put(0x00020016, "AE", "SCANNER77")],
  data: [
    ...kept(encapsulated, text),
    put(0x00080018, "UI", "1.2.826.0.1.11.301"),
    put(0x00080020, "DA", "20240115"),
    put(0x00080023, "DA", "20240117"),
    put(0x00080050, "SH", "ACC-99812"),
    put(0x00080080, "LO", "Sankt Brannigan Klinik"),
    put(0x00080090, "PN", "J\u00f6rgensen^Wendeline"),
    references("1.2.826.0.1.11.200", "1.2.826.0.1.11.301"),
    put(0x00090010, "LO", "ACME PRIVATE"),
    put(0x00091010, "LO", "Quillfeather^Osric"),
    put(0x00100010, "PN", "Quillfeather^Osric"),
    put(0x00100020, "LO", "MRN4711822"),
    put(0x00100030, "DA", "19610203"),
    put(0x00100040, "CS", "M"),
    put(0x00181030, "LO", "Abdomen Routine"),
    put(0x0020000d, "UI", "1.2.826.0.1.11.100"),
    put(0x0020000e, "UI", "1.2.826.0.1.11.200"),
    put(0x00200010, "SH", "ST4488"),
    put(0x00200052, "UI", "1.2.826.0.1.11.400"),
  ],
  trailing: Buffer.alloc(0),
})

/** The same, de-identified as the basic profile with modified dates asks: 1000 days back. */
export const deidentified = ({ encapsulated = false, text = "" } = {}): WrittenFile => ({
  preamble: Buffer.alloc(128),
  meta: metaOf("2.25.301", "2.25.900", encapsulated),
  data: [
    ...kept(encapsulated, text),
    put(0x00080018, "UI", "2.25.301"),
    put(0x00080020, "DA", "20210420"),
    put(0x00080023, "DA", "20210422"),
    put(0x00080050, "SH", ""),
    put(0x00080090, "PN", ""),
    references("2.25.200", "2.25.301"),
    put(0x00100010, "PN", "aaqrw"),
    put(0x00100020, "LO", "aaqrw"),
    put(0x00100030, "DA", ""),
    put(0x00100040, "CS", ""),
    put(0x00120062, "CS", "YES"),
    put(0x00120063, "LO", "PS3.15"),
    put(
      0x00120064,
      "SQ",
      ["113100", "113107"].map((code) => [put(0x00080100, "SH", code), put(0x00080102, "SH", "DCM")]),
    ),
    put(0x0020000d, "UI", "2.25.100"),
    put(0x0020000e, "UI", "2.25.200"),
    put(0x00200010, "SH", ""),
    put(0x00200052, "UI", "2.25.400"),
    put(0x00280303, "CS", "MODIFIED"),
  ],
  trailing: Buffer.alloc(0),
})
