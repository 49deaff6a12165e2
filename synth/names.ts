/** Made-up people. Names are written as many scripts write them, none is an English or clinical word. */
export interface NamePool {
  /** Defined term of Specific Character Set (PS3.3 C.12.1.1.2) that can write the names. */
  readonly charset: string
  readonly family: readonly string[]
  readonly female: readonly string[]
  readonly male: readonly string[]
}

const words = (text: string): readonly string[] => text.trim().split(/\s+/)

const western: NamePool = {
  charset: "ISO_IR 100",
  family: words(`Müllermeister Fernández-Quiñones Åkerström Østergaard D'Angeloni Brankovich Lefèbvrier Gonçalvesinho
    Szabolcsi Thorvaldsen Whitcombeson Okonkwaro Vanderhoeven Castellanosa Përmetari Ramírezano Drummondsby Ferrantelli`),
  female: words("Zoë Renée Núria Siân Ångela Françoise Beatriz Ingeborg Marguerite Philippa Consuelo Hedvika"),
  male: words("Jörg Andrés Bjørn Étienne Óscar Raúl Thaddeus Willibald Leopoldo Cornelius Désiré Gisbert"),
}
const central: NamePool = {
  charset: "ISO_IR 101",
  family: words("Wiśniewska-Żak Dvořáková Kőszegi Šťastný Łukasiewicz"),
  female: words("Małgorzata Jiřina Erzsébet"),
  male: words("Łukasz Ondřej Győző"),
}
const cyrillic: NamePool = {
  charset: "ISO_IR 144",
  family: words("Воробьянинов Щербаковский Кузнецовых"),
  female: words("Людмила Евдокия Ксения"),
  male: words("Ярослав Мстислав Тимофей"),
}
const greek: NamePool = {
  charset: "ISO_IR 126",
  family: words("Παπαδόπουλος Καραμανλίδης Οικονομίδης"),
  female: words("Αικατερίνη Ευφροσύνη"),
  male: words("Γεώργιος Αριστοτέλης"),
}
const any: NamePool = {
  charset: "ISO_IR 192",
  family: words("山田橋 Nguyễnthị יעקבזון Ğündoğdulu"),
  female: words("花子奈 Thùyduyên Gülşenay"),
  male: words("太郎丸 Đứcminh Şükrühan"),
}

/** Pools in turn: most names are western. */
export const pools: readonly NamePool[] = [western, western, central, western, cyrillic, western, any, western, greek]

export const streets = words(
  "Hollowbrook Cresthaven Larkspurton Quarrymead Osterleigh Wrenfield Thistledown Marlowgate",
)
export const streetKinds = words("Terrace Crescent Parade Mews")
export const cities = words("Nordhaverly Brackenport Sankt-Ulmen Westerquay Lochmarnock Puentezuela")
export const states = words("NY NJ CT MA")

/** Staff of the hospital, family and given names, plain letters. */
export const staff = {
  referring: ["Hallorann^Dickson^^Dr", "Abernathyson^Quentin^^Dr", "Petrosyan^Anahit^^Dr"],
  performing: ["Strickfaden^Horatio^^Dr", "Montgomeryshire^Evangeline^^Dr"],
  operators: ["Kowalczykov^Benedykt", "Throckmorton^Araminta", "Oyelaranson^Folasade"],
} as const

export const hospital = {
  name: "Mercy Valleyview Hospital",
  address: "4400 Cloverleigh Boulevard, Nordhaverly NY 10987-4410",
  department: "Department of Diagnostic Imaging Westwing",
  phone: "+1-914-555-0100",
} as const
