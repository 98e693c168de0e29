import type { JsonRoute, Route } from '@flux/contract/route';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type * as z from 'zod';
import type { Principal } from '../access/policy.ts';

/** The parsed input of a schema; undefined where a route has none. */
export type Parsed<T> = T extends z.ZodType ? z.output<T> : undefined;

/** What the handler of a route returns: the members of its answer schema. */
export type AnswerOf<R extends JsonRoute> = z.input<R['answer']>;

/** One authenticated, validated request. */
export interface Call<R extends Route> {
  readonly principal: Principal;
  readonly params: Parsed<R['params']>;
  readonly query: Parsed<R['query']>;
  readonly body: Parsed<R['body']>;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  /** Aborted when the client disconnects or the control plane is stopping. */
  readonly signal: AbortSignal;
}

/** An answer as it is sent, and as it is stored for an Idempotency-Key. */
export interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly location?: string;
}
