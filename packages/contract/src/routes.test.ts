import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { withoutNullsInAnswer } from './cli-v1/absence.ts';
import { PROJECT_TOKEN_ROUTES } from './cli-v1/routes/project-token.ts';
import { CLI_V1_PREFIX, CLI_V1_ROUTES } from './cli-v1/routes.ts';
import { API_PREFIX, ENDPOINTS, STARTS } from './endpoints.ts';
import { buildPath, type Route } from './route.ts';
import { ROUTES } from './routes.ts';

/** Paths of the objects in a schema that let members pass which they do not know. */
function openObjects(node: unknown, path: string): string[] {
  if (typeof node !== 'object' || node === null) return [];
  const { type, additionalProperties } = node as { type?: string; additionalProperties?: unknown };
  const here = type === 'object' && additionalProperties !== false ? [path] : [];
  return [...here, ...Object.entries(node).flatMap(([key, value]) => openObjects(value, `${path}/${key}`))];
}

/** Names of all members in a schema, at any depth. */
function membersOf(node: unknown): string[] {
  if (typeof node !== 'object' || node === null) return [];
  const { properties = {} } = node as { properties?: object };
  return [...Object.keys(properties), ...Object.values(node).flatMap(membersOf)];
}

describe.each([
  [API_PREFIX, ROUTES],
  [CLI_V1_PREFIX, CLI_V1_ROUTES],
])('%s', (_prefix, table) => {
  const routes = Object.entries(table as Record<string, Route>);

  it('lets no unknown member into a route that changes something, at any depth', () => {
    const changing = routes.filter(([, { method }]) => method !== 'GET');
    expect(changing.length).toBeGreaterThan(15);
    const open = changing.flatMap(([name, { query, body }]) =>
      Object.entries({ query, body }).flatMap(([part, schema]) =>
        schema === undefined ? [] : openObjects(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }), `${name} ${part}`),
      ),
    );
    expect(open).toEqual([]);
  });

  it('has each method and path once, and a parameter in the schema for each in the path', () => {
    const places = routes.map(([, { method, path }]) => `${method} ${path}`);
    expect(new Set(places).size).toBe(places.length);
    for (const [name, { path, params }] of routes) {
      const named = [...path.matchAll(/:(\w+)/g)].map(([, parameter]) => parameter);
      const known = params === undefined ? [] : Object.keys((z.toJSONSchema(params) as { properties: object }).properties);
      expect({ name, parameters: known }).toEqual({ name, parameters: named });
    }
  });
});

it('never answers existing clients with a null', () => {
  const tables: Record<string, Route> = { ...CLI_V1_ROUTES, ...PROJECT_TOKEN_ROUTES };
  for (const [name, route] of Object.entries(tables)) {
    const { answer } = withoutNullsInAnswer(route);
    const told = answer === undefined ? '' : JSON.stringify(z.toJSONSchema(answer, { unrepresentable: 'any' }));
    expect({ name, nulls: told.includes('"null"') }).toEqual({ name, nulls: false });
  }
});

describe('our own API', () => {
  const routes = Object.entries(ROUTES as Record<string, Route>);

  it('has a route for each endpoint, and answers 202 exactly where long work starts', () => {
    expect(Object.keys(ROUTES).sort()).toEqual(Object.keys(ENDPOINTS).sort());
    expect(
      routes
        .filter(([, { status }]) => status === 202)
        .map(([name]) => name)
        .sort(),
    ).toEqual(Object.keys(STARTS).sort());
  });

  it('pages through every list that can grow', () => {
    // The keys of receipts are one document, a JWK set; the extensions of a host are few.
    const unpaged = ['listReceiptKeys', 'listExtensions'];
    const lists = routes.filter(([name]) => name.startsWith('list') && !unpaged.includes(name));
    expect(lists.length).toBeGreaterThan(6);
    for (const [name, { query, answer }] of lists) {
      expect({ name, asks: membersOf(query && z.toJSONSchema(query, { io: 'input' })) }).toMatchObject({
        asks: expect.arrayContaining(['limit', 'cursor']),
      });
      expect({ name, answers: membersOf(answer && z.toJSONSchema(answer, { unrepresentable: 'any' })) }).toMatchObject({
        answers: expect.arrayContaining(['nextCursor']),
      });
    }
  });

  it('has none of the members that only existing clients read', () => {
    const legacy = ['plan', 'cliRole', 'lifecycleState', 'apiUrl', 'tablesMoved', 'sequencesMoved', 'viewsMoved', 'offsiteR2Status'];
    const secret = ['postgresContainerHost', 'pgrstJwtSecret', 'postgresConnectionString', 'dumpOnly', 'yes'];
    for (const [name, { answer, body, query }] of routes) {
      const schemas = [answer, body, query].flatMap((schema) => (schema === undefined ? [] : [schema]));
      const members = schemas.flatMap((schema) => membersOf(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' })));
      // A migration, alone or as the result of an operation, has a `plan` beside its `preflight`.
      const known = members.includes('preflight') || name === 'planMigration' ? legacy.filter((member) => member !== 'plan') : legacy;
      expect({ name, found: members.filter((member) => [...known, ...secret].includes(member)) }).toEqual({ name, found: [] });
    }
  });
});

it('encodes what goes into a path and leaves out what is undefined', () => {
  expect(buildPath('/projects/:hash/backups/:id', { hash: 'a/b', id: '?' }, { limit: 5, cursor: undefined })).toBe(
    '/projects/a%2Fb/backups/%3F?limit=5',
  );
});
