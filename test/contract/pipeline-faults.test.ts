import { readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { compile } from "../../core/pipeline/compile.ts"
import { PipelineFaults } from "../../core/pipeline/faults.ts"
import { pluginSet } from "../../core/pipeline/plugins.ts"
import { builtIns } from "../../main.ts"

const right = readFileSync("examples/demo.yaml", "utf8")
const plugins = pluginSet(builtIns)

type Change = readonly [from: string | RegExp, to: string]

const changed = (...changes: readonly Change[]): string =>
  changes.reduce((text, [from, to]) => {
    expect(text).toMatch(from)
    return text.replace(from, to)
  }, right)

function faultsOf(text: string, environment: Readonly<Record<string, string>> = {}): readonly string[] {
  try {
    compile("demo.yaml", text, { plugins, environment })
    return []
  } catch (error) {
    if (!(error instanceof PipelineFaults)) throw error
    return error.message.split("\n")
  }
}

/** Where `text` first stands, from 1. */
function placeOf(text: string, of: string): string {
  const before = text.slice(0, text.indexOf(of)).split("\n")
  return `${before.length}:${before.at(-1)!.length + 1}`
}

/** What is wrong, the changes that make it so, the text at which the fault stands, and the fault. */
const wrong: readonly (readonly [string, readonly Change[], string, string])[] = [
  [
    "an unknown key, with the nearest",
    [["    to: dicom.arrivals", "    too: dicom.arrivals\n    to: dicom.arrivals"]],
    "too: dicom",
    'sources.inbox.too: unknown key "too"; did you mean "to"?',
  ],
  ["a key that is there twice", [["name: demo", "name: demo\nname: again"]], "name: again", "Map keys must be unique"],
  ["a wrong type", [["from: labels", "from: 7"]], "7\n", "stages.release.from"],
  ["a mapping where none is", [["sinks:", "sinks: none\nsunk:"]], "none\n", "sinks: expected a mapping"],
  [
    "an unknown plugin, with the nearest name",
    [["use: phenotype", "use: phenotpye"]],
    "phenotpye",
    'stages.label.through[0].use: unknown plugin "phenotpye"; did you mean "phenotype"?',
  ],
  [
    "a plugin of another kind",
    [["use: object-store", "use: select"]],
    "select",
    "sinks.files.use: select is a transform, expected a sink",
  ],
  [
    "a missing option",
    [["with: { maps: codes }", "with: {}"]],
    "with: {} }]",
    "stages.map.through[0].with.maps: option of map-codes",
  ],
  [
    "an unknown option",
    [["maps: codes", "maps: codes, mops: 3"]],
    "mops",
    "stages.map.through[0].with.mops: option of map-codes",
  ],
  [
    "an unknown topic, with the nearest",
    [["from: people.events", "from: people.event"]],
    "people.event\n",
    'stages.map.from: unknown topic "people.event"; did you mean "people.events"?',
  ],
  [
    "an unknown zone",
    [["{ zone: limited, schema: label }", "{ zone: limitd, schema: label }"]],
    "limitd",
    'topics.curated.labels.zone: unknown zone "limitd"; did you mean "limited"?',
  ],
  [
    "an unknown schema",
    [
      [
        "curated.labels: { zone: limited, schema: label }",
        "curated.labels: { zone: limited, schema: label }\n  other: { schema: lable }",
      ],
    ],
    "lable",
    'topics.other.schema: unknown schema "lable"; did you mean "label"?',
  ],
  [
    "an unknown driver",
    [["driver: folder", "driver: foldr"]],
    "foldr",
    'objects.driver: unknown driver "foldr"; did you mean "folder"?',
  ],
  [
    "a setting that its driver does not have",
    [["{ driver: folder, dir: data/objects }", "{ driver: folder, dir: data/objects, bucket: b }"]],
    "bucket: b",
    'objects.bucket: unknown key "bucket"',
  ],
  [
    "a cycle",
    [["from: people.events", "from: [people.events, people.facts]"]],
    "[people.events",
    "stages.map.from: cycle: stage map reads what it, or a stage after it, writes",
  ],
  [
    "a step down the zones without a privacy transform",
    [[/\[\{ use: deidentify-fhir.*\]/, "[{ use: select }]"]],
    "curated.resources\n  release",
    "stages.resources.to: a step down the zones, from people.facts (phi) to curated.resources (limited), without a privacy transform",
  ],
  [
    "inputs with unequal partitions",
    [["topics:", "topics:\n  imaging.studies: { partitions: 3 }\n  people.facts: { partitions: 8 }\n #"]],
    "{ facts: people.facts",
    "stages.label.from: inputs not co-partitioned: people.facts has 8 partitions, imaging.studies has 3 partitions",
  ],
  [
    "inputs that are keyed by different things",
    [["{ facts: people.facts, studies: imaging.studies }", "{ facts: fhir.arrivals, studies: imaging.studies }"]],
    "{ facts: fhir.arrivals",
    "stages.label.from",
  ],
  [
    "two stateful transforms in one stage",
    [
      [
        "{ use: map-codes, with: { maps: codes } }",
        "{ use: assemble-study, with: { quiet: 60s } }, { use: assemble-study, with: { quiet: 60s } }",
      ],
    ],
    "{ use: assemble-study, with: { quiet: 60s } }, {",
    "stages.map.through",
  ],
  [
    "a secret that is not declared, with the nearest",
    [["key: project-key\n", "key: project-kye\n"]],
    "key: project-kye",
    'unknown secret "project-kye"; did you mean "project-key"?',
  ],
  [
    "a secret from two places",
    [["{ file: keys/project }", "{ file: keys/project, env: KEY }"]],
    "{ file: keys/project, env",
    "secrets.project-key: expected either file or env",
  ],
  [
    "an environment variable that is not set",
    [["path: incoming", 'path: "${INCOMING}"']],
    '"${INCOMING}"',
    "environment variable INCOMING is not set",
  ],
  [
    "a stage without transforms",
    [["  map:\n", "  none: { from: people.events, to: nothing }\n  map:\n"]],
    "{ from: people.events, to: nothing",
    "stages.none: missing through: a list of transforms",
  ],
  [
    "a source without a topic",
    [["    to: dicom.arrivals\n", ""]],
    "use: dicom-folder",
    "sources.inbox: missing to: the topic that it writes",
  ],
  [
    "a sink that reads nothing",
    [["    from: [curated.studies, curated.labels]", ""]],
    "use: object-store",
    "sinks.files: missing from: the topics that it reads",
  ],
  [
    "a start that is none",
    [["    from: labels\n", "    from: labels\n    start: earlyest\n"]],
    "earlyest",
    'stages.release.start: unknown start "earlyest"; did you mean "earliest"?',
  ],
  [
    "times by two clocks below the border",
    [[", time-zone: America/New_York } }]\n    to: curated.labels", " } }]\n    to: curated.labels"]],
    "{ use: deidentify-record",
    "stages.release.through[0]: deidentify-record states no time-zone, inbox does",
  ],
  [
    "safe harbor without a vault",
    [[/deidentify-fhir, with: \{/, "deidentify-fhir, with: { profile: safe-harbor,"]],
    "{ profile: safe-harbor",
    "stages.resources.through[0].with: deidentify-fhir: profile safe-harbor needs a vault",
  ],
  [
    "safe harbor with the UIDs of before",
    [
      [
        /deidentify-fhir, with: \{/,
        "deidentify-fhir, with: { profile: safe-harbor, vault: identity-key, retain-uids: true,",
      ],
    ],
    "true, key",
    "stages.resources.through[0].with.retain-uids: deidentify-fhir: profile safe-harbor keeps no UIDs",
  ],
  [
    "a limited data set in zone clean",
    [
      [/deidentify-fhir, with: \{/, "deidentify-fhir, with: { profile: limited-data-set,"],
      [/curated\.resources: \{ zone: limited/, "curated.resources: { zone: clean"],
    ],
    "limited-data-set,",
    "profile limited-data-set needs outputs in zone limited, and in no other",
  ],
  [
    "steps of one project of which one is safe harbor and others are not",
    [[/deidentify-fhir, with: \{/, "deidentify-fhir, with: { profile: safe-harbor, vault: identity-key,"]],
    "{ profile: safe-harbor",
    "deidentify-dicom of stage images has the same key project-key and is not safe-harbor: their codes would differ",
  ],
  [
    "images under safe harbor without a vault",
    [
      [
        "key: project-key\n          retain-longitudinal",
        "profile: safe-harbor\n          key: project-key\n          retain-longitudinal",
      ],
    ],
    "profile: safe-harbor",
    "stages.images.through[0].with: deidentify-dicom: profile safe-harbor needs a vault",
  ],
  [
    "images under safe harbor with the identity of devices",
    [
      [
        "key: project-key\n          retain-longitudinal",
        "profile: safe-harbor\n          vault: identity-key\n          retain-device-identity: true\n          key: project-key\n          retain-longitudinal",
      ],
    ],
    "true\n          key",
    "stages.images.through[0].with.retain-device-identity: deidentify-dicom: profile safe-harbor keeps no serial numbers",
  ],
  [
    "steps of one project that name two vaults",
    [
      [/deidentify-fhir, with: \{/, "deidentify-fhir, with: { vault: identity-key,"],
      [/deidentify-record, with: \{/, "deidentify-record, with: { vault: project-key,"],
    ],
    "{ vault: project-key",
    "another step of the same key project-key names the vault identity-key",
  ],
  [
    "encryption without a vault",
    [["sinks:", "encrypt: {}\nsinks:"]],
    "{}\nsinks",
    "encrypt: missing vault: the secret that opens the vault of a step",
  ],
  [
    "encryption where no step has a vault",
    [["sinks:", "encrypt: { vault: project-key }\nsinks:"]],
    "project-key }\nsinks",
    "encrypt.vault: no step has a vault: name it under with: of the privacy steps",
  ],
  [
    "encryption by another vault than the steps have",
    [
      [/deidentify-fhir, with: \{/, "deidentify-fhir, with: { vault: project-key,"],
      ["sinks:", "encrypt: { vault: identity-key }\nsinks:"],
    ],
    "identity-key }\nsinks",
    'encrypt.vault: unknown vault "identity-key"; known: project-key',
  ],
  [
    "a part of encryption that there is not",
    [["sinks:", "encrypt: { vaults: project-key }\nsinks:"]],
    "vaults: project-key",
    'encrypt.vaults: unknown key "vaults"; did you mean "vault"?',
  ],
  [
    "a vault whose key is nowhere",
    [[/deidentify-fhir, with: \{/, "deidentify-fhir, with: { vault: vault-key,"]],
    "{ vault: vault-key",
    'unknown secret "vault-key"',
  ],
]

describe("a pipeline file that is wrong", () => {
  it("is not the demo's", () => expect(faultsOf(right)).toEqual([]))

  it.each(wrong)("is told of %s, with line, column and path", (_what, changes, at, says) => {
    const text = changed(...changes)
    const faults = faultsOf(text)
    const where = `demo.yaml:${placeOf(text, at)}: `
    expect(faults.filter((fault) => fault.startsWith(where)).join("\n"), faults.join("\n")).toContain(says)
  })

  it("is told of every fault at once, in the order of the file", () => {
    const text = changed(
      ...wrong
        .filter(([what]) => /unknown (key|plugin|option|topic|zone|driver)|start that/.test(what))
        .flatMap(([, each]) => each),
    )
    const faults = faultsOf(text)
    expect(faults.length).toBe(7)
    const lines = faults.map((fault) => Number(fault.split(":")[1]))
    expect(lines).toEqual(lines.toSorted((a, b) => a - b))
  })

  it("puts the environment's values in place", () => {
    expect(faultsOf(changed(["path: incoming", 'path: "${INCOMING}"']), { INCOMING: "in" })).toEqual([])
  })

  it("does not need a time zone where no step states one", () => {
    expect(faultsOf(right.replaceAll(/(?:, |\n +)?time-zone: America\/New_York/g, ""))).toEqual([])
  })
})
