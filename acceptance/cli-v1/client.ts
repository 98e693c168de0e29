import { createHmac } from 'node:crypto';
import { expect } from 'vitest';
import type * as z from 'zod';
import type { Flux } from '../harness/flux.ts';
import { nullsIn, Problem } from './schemas.ts';

/** A client as it exists: it waits for each answer, and reads every one with a schema. */
export interface ExistingClient {
  /** The answer to a request that has to succeed. */
  ask<T extends z.ZodType>(schema: T, request: string, body?: object, headers?: Record<string, string>): Promise<z.output<T>>;
  /** The problem that answers a request which has to fail with this status. */
  refused(status: number, request: string, body?: object, headers?: Record<string, string>): Promise<z.output<typeof Problem>>;
  /** Only the status and the headers. */
  send(request: string, body?: object, headers?: Record<string, string>): Promise<Response>;
}

/**
 * @param flux the control plane; a request is `GET /list`, below `/api/cli/v1`, or with a path that starts with `//` below its root
 * @param token an API token, by default the admin's
 */
export function existingClient(flux: Flux, token = flux.token()): ExistingClient {
  const send = (request: string, body?: object, headers: Record<string, string> = {}) => {
    const [method = '', path = ''] = request.split(' ');
    return fetch(path.startsWith('//') ? flux.url + path.slice(1) : `${flux.url}/api/cli/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      body: body === undefined ? null : JSON.stringify(body),
    });
  };
  const read = async (response: Response) => {
    const body: unknown = await response.json();
    expect({ url: response.url, nulls: nullsIn(body) }).toEqual({ url: response.url, nulls: [] });
    return body;
  };
  return {
    send,
    async ask(schema, request, ...rest) {
      const response = await send(request, ...rest);
      const body = await read(response);
      if (!response.ok) throw new Error(`${request} was answered with ${response.status}: ${JSON.stringify(body)}`);
      expect(response.headers.get('content-type')).toContain('application/json');
      const parsed = schema.safeParse(body);
      if (!parsed.success) throw new Error(`${request} was answered with ${JSON.stringify(body)}\n${parsed.error.message}`);
      return parsed.data;
    },
    async refused(status, request, ...rest) {
      const response = await send(request, ...rest);
      const body = await read(response);
      expect({ request, status: response.status, body }).toMatchObject({ status, body: { status } });
      expect(response.headers.get('content-type')).toContain('application/problem+json');
      return Problem.parse(body);
    },
  };
}

/** A JWT as clients sign it with the secret of a project. */
export function signJwt(secret: string, claims: object, header: object = { alg: 'HS256', typ: 'JWT' }): string {
  const signed = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}
