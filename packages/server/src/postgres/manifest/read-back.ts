import { randomBytes } from 'node:crypto';
import { connectPostgres, type PostgresSession, sqlStateOf } from '../connect.ts';
import { DIGEST_SETTINGS } from '../manifest.ts';
import { quoteLiteral } from '../sql/quote.ts';
import type { PostgresTarget } from '../target.ts';
import { type ChangedDefinition, keyOf } from './changed-definitions.ts';
import { type Attempt, attemptsFor, type Piece, piecesOf } from './read-back-attempts.ts';

/**
 * Asks Postgres whether different definition texts are equivalent: each object is created again from the definition in the manifest, and
 * the resulting definition is compared with that of the restored object.
 *
 * Postgres does not store the text of a definition. What it prints for an expression and what it prints after parsing that again may
 * differ, as in `((a AND b) AND c)`, which becomes `(a AND b AND c)`. pg_dump writes the first, so every restore has the second. No
 * rule of ours about formatting decides here, but the server's own parser.
 *
 * Everything happens in one transaction that is rolled back. The definitions are other people's SQL, and some of it runs with
 * the rights of a superuser: `target` MUST be the superuser of a disposable instance.
 *
 * @returns keys (`keyOf`) of the objects that are the same
 * @throws FluxError `instance_unavailable`; whatever breaks the connection
 */
export async function findEqualDefinitions(
  target: PostgresTarget,
  changed: readonly ChangedDefinition[],
  signal?: AbortSignal,
): Promise<ReadonlySet<string>> {
  const questions = changed.flatMap((object) => {
    const pieces = piecesOf(object);
    return pieces === undefined ? [] : [{ object, pieces }];
  });
  const equal = new Set<string>();
  if (questions.length === 0) return equal;
  const settings = { ...DIGEST_SETTINGS, check_function_bodies: 'off' };
  await using session = await connectPostgres(target, { settings, signal });
  const scratch = `flux_read_back_${randomBytes(6).toString('hex')}`;
  await session.run('BEGIN READ WRITE');
  await silenceEventTriggers(session);
  await session.run(`CREATE SCHEMA ${scratch}`);
  for (const { object, pieces } of questions) if (await areEqual(session, scratch, pieces)) equal.add(keyOf(object));
  await session.run('ROLLBACK');
  return equal;
}

async function areEqual(session: PostgresSession, scratch: string, pieces: readonly Piece[]): Promise<boolean> {
  for (const piece of pieces) {
    let isEqual = false;
    for (const attempt of attemptsFor(piece, scratch)) {
      isEqual = (await readBack(session, attempt)) === piece.found;
      if (isEqual) break;
    }
    if (!isEqual) return false;
  }
  return true;
}

/** The definition of an object that was just created; undefined when it could not be created. */
async function readBack(session: PostgresSession, attempt: Attempt): Promise<string | undefined> {
  await session.run('SAVEPOINT attempt');
  try {
    const [facts] = attempt.about === undefined ? [{}] : await session.query<Record<string, string | null>>(attempt.about);
    if (facts === undefined) return undefined;
    for (const statement of attempt.make(facts)) await session.run(statement);
    const [row] = await session.query<{ definition: string | null }>(attempt.read);
    return row?.definition ?? undefined;
  } catch (error) {
    // Only the server's error about a statement means that it cannot be created; a broken connection proves nothing.
    const state = sqlStateOf(error);
    if (state === undefined || state.startsWith('08') || state.startsWith('57')) throw error;
    return undefined;
  } finally {
    await session.run('ROLLBACK TO SAVEPOINT attempt').catch(() => undefined);
  }
}

/** Event triggers of the restored database must not fire here. They never fire for ALTER EVENT TRIGGER. */
async function silenceEventTriggers(session: PostgresSession): Promise<void> {
  await session.run(
    `DO ${quoteLiteral(`DECLARE name text; BEGIN
    FOR name IN SELECT evtname FROM pg_catalog.pg_event_trigger LOOP EXECUTE format('ALTER EVENT TRIGGER %I DISABLE', name); END LOOP; END`)}`,
  );
}
