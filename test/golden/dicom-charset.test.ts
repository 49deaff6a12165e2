import { describe, expect, it } from "vitest"
import { charsetOf, decodeText, encodeText } from "../../formats/dicom/index.ts"

const bytes = (text: string) => Buffer.from(text, "latin1")
const decode = (terms: string, text: string) => decodeText(bytes(text), charsetOf(terms.split("\\")))

describe("Specific Character Set, by the examples of the standard", () => {
  it("PS3.5 H.3.1: Japanese, ISO 646 and JIS X 0208", () => {
    const name = "Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B"
    expect(decode("\\ISO 2022 IR 87", name)).toBe("Yamada^Tarou=山田^太郎=やまだ^たろう")
  })

  it("PS3.5 H.3.2: Japanese, JIS X 0201 first", () => {
    const name = "\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J=\x1b$B$d$^$@\x1b(J^\x1b$B$?$m$&\x1b(J"
    expect(decode("ISO 2022 IR 13\\ISO 2022 IR 87", name)).toBe("ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう")
  })

  it("PS3.5 I.2: Korean", () => {
    const name = "Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf"
    expect(decode("\\ISO 2022 IR 149", name)).toBe("Hong^Gildong=洪^吉洞=홍^길동")
    expect(decode("ISO 2022 IR 149", name)).toBe("Hong^Gildong=洪^吉洞=홍^길동")
  })

  it("PS3.5 J.1, J.2, J.3: Chinese in UTF-8, GB18030 and GB 2312 by escapes", () => {
    expect(decodeText(Buffer.from("Wang^XiaoDong=王^小東="), charsetOf(["ISO_IR 192"]))).toBe("Wang^XiaoDong=王^小東=")
    expect(decode("GB18030", "Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xb6\xab=")).toBe("Wang^XiaoDong=王^小东=")
    expect(decode("\\ISO 2022 IR 58", "Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab=")).toBe(
      "Zhang^XiaoDong=张^小东=",
    )
  })

  it.each([
    ["ISO_IR 100", "Buc^J\xe9r\xf4me", "Buc^Jérôme"],
    ["ISO_IR 101", "W\xb3a\xb6ciwy", "Właściwy"],
    ["ISO_IR 144", "\xbb\xee\xda", "Люк"],
    ["ISO_IR 126", "\xc4\xe9\xef\xed", "Διον"],
    ["ISO_IR 127", "\xe2\xc8\xc7\xe6\xea", "قباني"],
    ["ISO_IR 138", "\xf9\xf8\xe5\xef", "שרון"],
    ["ISO 2022 IR 6\\ISO 2022 IR 100", "Buc^J\x1b-A\xe9r\xf4me", "Buc^Jérôme"],
    ["ISO 2022 IR 100\\ISO 2022 IR 144\\ISO 2022 IR 126", "Dionysios is \x1b-F\xc4\xe9\xef\xed", "Dionysios is Διον"],
  ])("%s", (terms, raw, text) => {
    expect(decode(terms, raw)).toBe(text)
    if (!terms.includes("2022"))
      expect(Buffer.from(encodeText(text, charsetOf([terms])) ?? []).equals(bytes(raw))).toBe(true)
  })

  it("says so when a text does not fit, and reads what no set explains without failing", () => {
    expect(encodeText("Люк", charsetOf(["ISO_IR 100"]))).toBeUndefined()
    expect(charsetOf(["ISO_IR 999"]).known).toBe(false)
    expect(decode("ISO_IR 999", "J\xe9r\xf4me")).toBe("Jérôme")
    expect(decode("\\ISO 2022 IR 87", "\x1b$B;")).toHaveLength(1)
  })
})
