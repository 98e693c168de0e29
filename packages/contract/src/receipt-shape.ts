import { RECEIPT_PREDICATE_TYPE, type ReceiptStatement, STATEMENT_TYPE } from './receipt.ts';

type Check = (value: unknown, path: string) => string | undefined;

const is =
  (what: string, holds: (value: unknown) => boolean): Check =>
  (value, path) =>
    holds(value) ? undefined : `${path} is not ${what}`;
const matching = (what: string, pattern: RegExp) => is(what, (value) => typeof value === 'string' && pattern.test(value));
const orNull =
  (check: Check): Check =>
  (value, path) =>
    value === null ? undefined : check(value, path);
const optional =
  (check: Check): Check =>
  (value, path) =>
    value === undefined ? undefined : check(value, path);
const arrayOf =
  (check: Check): Check =>
  (value, path) =>
    Array.isArray(value)
      ? firstProblem([...value.entries()], ([index, item]) => check(item, `${path}[${index}]`))
      : `${path} is not a list`;
/** Checks the named members. Other members are allowed: a later version may add some. */
const object =
  (members: Readonly<Record<string, Check>>): Check =>
  (value, path) =>
    isRecord(value)
      ? firstProblem(Object.entries(members), ([name, check]) => check(value[name], `${path}.${name}`))
      : `${path} is not an object`;

const text = is('a text', (value) => typeof value === 'string');
const literal = (wanted: string) => is(wanted, (value) => value === wanted);
const sha256 = matching('a SHA-256 in hex', /^[0-9a-f]{64}$/);
const uuid = matching('a UUID', /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
const count = is('a count', (value) => Number.isSafeInteger(value) && (value as number) >= 0);
const milliseconds = is('a duration in milliseconds', (value) => Number.isFinite(value) && (value as number) >= 0);
const time = is(
  'a time in UTC',
  (value) => typeof value === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z$/.test(value) && !Number.isNaN(Date.parse(value)),
);
const recordOf =
  (check: Check): Check =>
  (value, path) =>
    isRecord(value)
      ? firstProblem(Object.entries(value), ([name, member]) => check(member, `${path}.${name}`))
      : `${path} is not an object`;

const subject: Check = (value, path) =>
  Array.isArray(value) && value.length === 1
    ? object({ name: text, digest: object({ sha256 }) })(value[0], `${path}[0]`)
    : `${path} does not name exactly one artifact`;

const statement = object({
  _type: literal(STATEMENT_TYPE),
  predicateType: literal(RECEIPT_PREDICATE_TYPE),
  subject,
  predicate: object({
    verificationId: uuid,
    backupId: uuid,
    project: object({ slug: text, hash: matching('a project hash', /^[0-9a-f]{7}$/) }),
    engine: matching('an engine', /^(?:v1_dedicated|v2_shared)$/),
    sequence: is('a number from 1 on', (value) => Number.isSafeInteger(value) && (value as number) >= 1),
    previousReceiptSha256: orNull(sha256),
    verdict: matching('a verdict', /^(?:restorable|failed|inconclusive)$/),
    artifact: object({ sha256, sizeBytes: count, readSha256: orNull(sha256), readSizeBytes: count }),
    manifestSha256: sha256,
    comparedWith: optional(literal('archive')),
    versions: object({ sourcePostgres: orNull(text), disposablePostgres: orNull(text), flux: text }),
    sandbox: orNull(text),
    compared: object({
      tables: count,
      rows: count,
      objects: recordOf(count),
      differences: object({ failure: count, prerequisite: count, notCompared: count, leftOut: optional(count) }),
    }),
    leftOut: optional(arrayOf(object({ kind: text, name: text, reason: text }))),
    startedAt: time,
    finishedAt: time,
    durationMs: milliseconds,
    phasesMs: recordOf(milliseconds),
  }),
});

/** Why a value is not the statement of a receipt, in a few words; undefined when it is one. */
export function findStatementProblem(value: unknown): string | undefined {
  return statement(value, 'statement') ?? findContradiction(value as ReceiptStatement);
}

/** A statement may have the right shape and still contradict itself; Flux never writes such a statement. */
function findContradiction({ subject: [subject], predicate }: ReceiptStatement): string | undefined {
  const { artifact, verdict, compared, project, backupId } = predicate;
  if (subject.name !== `${project.hash}-${backupId}.dump`) return 'the subject is not named after the backup';
  if (subject.digest.sha256 !== (artifact.readSha256 ?? artifact.sha256)) return 'the subject is not the artifact that was read';
  if ((predicate.sequence === 1) !== (predicate.previousReceiptSha256 === null))
    return 'only the first receipt of a project has no previous receipt';
  if (verdict !== 'restorable') return undefined;
  if (artifact.readSha256 !== artifact.sha256) return 'its verdict is restorable, but the bytes read are not the recorded ones';
  if (compared.differences.failure > 0) return 'its verdict is restorable, but the restore differed';
  return undefined;
}

function firstProblem<T>(items: readonly T[], look: (item: T) => string | undefined): string | undefined {
  for (const item of items) {
    const problem = look(item);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
