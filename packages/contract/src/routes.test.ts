import { expect, it } from 'vitest';
import * as z from 'zod';
import type { Route } from './route.ts';
import { ROUTES } from './routes.ts';

/** Paths of the objects in a schema that let members pass which they do not know. */
function openObjects(node: unknown, path: string): string[] {
  if (typeof node !== 'object' || node === null) return [];
  const { type, additionalProperties } = node as { type?: string; additionalProperties?: unknown };
  const here = type === 'object' && additionalProperties !== false ? [path] : [];
  return [...here, ...Object.entries(node).flatMap(([key, value]) => openObjects(value, `${path}/${key}`))];
}

it('lets no unknown member into a route that changes something, at any depth', () => {
  const routes = Object.entries(ROUTES as Record<string, Route>).filter(([, { method }]) => method !== 'GET');
  expect(routes.length).toBeGreaterThan(15);
  const open = routes.flatMap(([name, { query, body }]) =>
    Object.entries({ query, body }).flatMap(([part, schema]) =>
      schema === undefined ? [] : openObjects(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }), `${name} ${part}`),
    ),
  );
  expect(open).toEqual([]);
});
