import { FluxError, type Problem } from '@flux/contract/errors';
import type { Principal } from '../access/policy.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Whether its sender may read what an error keeps for operators; absent as long as nobody knows who sends it. */
    mayReadReasons?: boolean;
  }
}

/** Whether a principal runs the control plane, as far as tokens tell: all of its projects, and everything in them. */
export function mayReadReasons({ token }: Principal): boolean {
  return token.access === 'admin' && token.projects === null;
}

interface ForOperators {
  readonly reason: string;
  readonly sqlState?: string;
}

/** An error with the reason that is for operators, or without it. */
export function forReader(error: FluxError, mayRead: boolean): FluxError {
  const { forOperators, ...details } = error.details;
  if (forOperators === undefined) return error;
  const { reason, sqlState } = forOperators as ForOperators;
  if (!mayRead) return new FluxError(error.code, error.message, { hint: error.hint, details, cause: error.cause });
  return new FluxError(error.code, `${error.message} ${reason}`, {
    hint: error.hint,
    details: { ...details, ...(sqlState === undefined ? {} : { sqlState }) },
    cause: error.cause,
  });
}

/** The same for a problem that was recorded. */
export function problemForReader(problem: Problem, mayRead: boolean): Problem {
  if (problem.details?.forOperators === undefined) return problem;
  const { message, details, hint } = forReader(new FluxError(problem.code, problem.detail, problem), mayRead);
  return { ...problem, detail: message, error: hint === undefined ? message : `${message}\n${hint}`, details };
}
