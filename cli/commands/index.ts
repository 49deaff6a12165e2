import type { Command } from "../command.ts"
import { canaryNew, canarySend } from "./canary.ts"
import { check } from "./check.ts"
import { replayDeadLetters } from "./dead-letters-replay.ts"
import { deadLetter, deadLetters } from "./dead-letters.ts"
import { deidExplain } from "./deid-explain.ts"
import { deid } from "./deid.ts"
import { demo } from "./demo.ts"
import { describe } from "./describe.ts"
import { erase } from "../erase/command.ts"
import { report } from "../report/command.ts"
import { list } from "./list.ts"
import { positionSet, positionShow } from "./position.ts"
import { replayStage } from "./replay.ts"
import { reviewAccept, reviewRedact, reviewReject, reviewUndo } from "./review-decide.ts"
import { reviewList, reviewShow } from "./review.ts"
import { run } from "./run.ts"
import { schema } from "./schema.ts"
import { sql } from "./sql.ts"
import { status } from "./status.ts"
import { synth } from "./synth.ts"
import { topicList, topicRead } from "./topic.ts"
import { vaultAudit, vaultReveal, vaultRotate, vaultVerify } from "./vault.ts"

/** Every command, in the order of the help. */
export const commands: readonly Command[] = [
  run,
  status,
  check,
  list,
  describe,
  schema,
  topicList,
  topicRead,
  deadLetters,
  deadLetter,
  replayDeadLetters,
  reviewList,
  reviewShow,
  reviewAccept,
  reviewRedact,
  reviewReject,
  reviewUndo,
  positionShow,
  positionSet,
  replayStage,
  sql,
  vaultReveal,
  vaultAudit,
  vaultVerify,
  vaultRotate,
  erase,
  canaryNew,
  canarySend,
  report,
  deid,
  deidExplain,
  synth,
  demo,
]
