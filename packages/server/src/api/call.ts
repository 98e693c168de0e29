import type { JsonRoute, Route } from '@flux/contract/route';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type * as z from 'zod';
import type { Principal } from '../access/policy.ts';

/** What a schema makes of its input; undefined where a route has none. */
export type Parsed<T> = T extends z.ZodType ? z.output<T> : undefined;

/** What a handler gives for a route: the members of its answer schema. */
export type AnswerOf<R extends JsonRoute> = z.input<R['answer']>;

/** One authenticated, validated request. */
export interface Call<R extends Route> {
  readonly principal: Principal;
  readonly params: Parsed<R['params']>;
  readonly query: Parsed<R['query']>;
  readonly body: Parsed<R['body']>;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  /** Aborted when the client has gone or the control plane is stopping. */
  readonly signal: AbortSignal;
}

/** An answer as it is sent, and as an Idempotency-Key remembers it. */
export interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly location?: string;
}
