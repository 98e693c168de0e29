import { isDeepStrictEqual } from 'node:util';
import { FluxError } from '@flux/contract/errors';
import type { Route } from '@flux/contract/route';

/** Whether each answer is compared with the schema of its route. Tests turn it on; in production it would only cost time. */
export type AnswerChecks = 'on' | 'off';

/**
 * Compares an answer, as it is sent, with the schema of its route: wrong types, missing members, and members that the schema does
 * not have.
 *
 * @throws FluxError `internal`, so that the test sees a 500 with the difference
 */
export function checkAnswer(route: Pick<Route, 'method' | 'path' | 'answer'>, body: unknown): void {
  const sent: unknown = JSON.parse(JSON.stringify(body));
  const parsed = route.answer?.safeParse(sent);
  if (parsed === undefined) return;
  const at = `${route.method} ${route.path}`;
  if (!parsed.success)
    throw new FluxError('internal', `The answer of ${at} does not match its schema: ${parsed.error.message}`, { details: { sent } });
  if (isDeepStrictEqual(parsed.data, sent)) return;
  throw new FluxError('internal', `The answer of ${at} has members that its schema does not know.`, {
    details: { sent, known: parsed.data },
  });
}
