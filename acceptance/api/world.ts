import { expect } from 'vitest';
import type { Flux, TestProject } from '../harness/flux.ts';

export type Json = Record<string, unknown>;

/** What the parts of this suite share; api.test.ts fills it before the first test. */
export const world = {
  /** Everything secret that passed through; none of it may be in a log. */
  secrets: new Set<string>(),
} as { flux: Flux; v1: TestProject; v2: TestProject; secrets: Set<string> };

export const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
export const text = expect.stringMatching(/./);
export const hex = (digits: number) => expect.stringMatching(new RegExp(`^[0-9a-f]{${digits}}$`));
export const uuid = expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);

export async function get(path: string, token?: string): Promise<{ status: number; body: Json; headers: Headers }> {
  return ask(path, { method: 'GET' }, token);
}
export async function post(path: string, body?: object, headers: Record<string, string> = {}, token?: string) {
  const json = body === undefined ? {} : { 'content-type': 'application/json' };
  return ask(path, { method: 'POST', headers: { ...json, ...headers }, body: body === undefined ? null : JSON.stringify(body) }, token);
}
export async function ask(path: string, init: RequestInit, token?: string) {
  const answer = await world.flux.api(path, {
    ...init,
    headers: { ...(init.headers as object), ...(token && { authorization: `Bearer ${token}` }) },
  });
  return { status: answer.status, body: (await answer.json()) as Json, headers: answer.headers };
}
export async function makeToken(access: string, more: { projects?: string[]; expiresAt?: string } = {}) {
  const { status, body } = await post('/tokens', { name: `${access} token`, access, ...more });
  expect(status).toBe(201);
  world.secrets.add(String(body.token));
  return { token: String(body.token), id: String((body.item as Json).id) };
}
