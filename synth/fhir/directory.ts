import { moment } from "../calendar.ts"
import { hospital, staff } from "../names.ts"
import type { PersonPlan } from "../plan.ts"
import { Random } from "../random.ts"
import { dropped } from "../fate.ts"
import { concept, meta, reference, told } from "./resource.ts"
import type { Line, Resource } from "./resource.ts"

/** The hospital itself is the same for every seed. */
const house = new Random("directory")
const ids = {
  organization: house.uuid("Organization"),
  location: house.uuid("Location"),
  medication: house.uuid("Medication"),
}
const doctors = staff.referring.map((name) => ({ name, id: house.uuid("Practitioner", name) }))

export const organization = reference("Organization", ids.organization)
export const location = reference("Location", ids.location)

/** The family doctor of a patient, with the name shown. */
export function doctorOf({ index }: PersonPlan) {
  const { name, id } = doctors[index % doctors.length]!
  const [family, given] = name.split("^")
  return { ...reference("Practitioner", id), display: `Dr. ${given} ${family}` }
}

const practitioner = ({ name, id }: (typeof doctors)[number]): Resource => {
  const [family, given] = name.split("^")
  return {
    resourceType: "Practitioner",
    id,
    ...meta(1, moment(1, 8), house),
    name: [{ family, given: [given], prefix: ["Dr."] }],
  }
}

/** Resources of types that name no person. */
export const directoryLines = (): readonly Line[] =>
  [
    {
      resourceType: "Organization",
      id: ids.organization,
      ...meta(1, moment(1, 8), house),
      name: hospital.name,
      telecom: [{ system: "phone", value: hospital.phone }],
    },
    ...doctors.map(practitioner),
    {
      resourceType: "Location",
      id: ids.location,
      ...meta(1, moment(1, 8), house),
      name: hospital.department,
      managingOrganization: organization,
    },
    {
      resourceType: "Medication",
      id: ids.medication,
      ...meta(1, moment(1, 8), house),
      code: concept({ system: "http://www.nlm.nih.gov/research/umls/rxnorm", code: "161", display: "acetaminophen" }),
    },
  ].map((resource) => told("wave1", resource, dropped("no-person")))
