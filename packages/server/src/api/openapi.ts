import { ACTIONS } from '@flux/contract/action';
import { withoutNullsInAnswer } from '@flux/contract/cli-v1/absence';
import { CLI_V1_PREFIX, CLI_V1_ROUTES } from '@flux/contract/cli-v1/routes';
import { PROJECT_TOKEN_PREFIX, PROJECT_TOKEN_ROUTES } from '@flux/contract/cli-v1/routes/project-token';
import { API_PREFIX } from '@flux/contract/endpoints';
import { ERROR_KINDS } from '@flux/contract/errors';
import type { Route } from '@flux/contract/route';
import { ROUTES } from '@flux/contract/routes';
import type { FastifyInstance } from 'fastify';
import * as z from 'zod';
import type { HealthDeps } from './deps.ts';

/** Serves the description of the API, generated from the schemas that requests are checked with. */
export function registerOpenApi(app: FastifyInstance, { version }: Pick<HealthDeps, 'version'>): void {
  const document = describeApi(version);
  app.get('/api/openapi.json', async () => document);
}

/** The API as an OpenAPI 3.1 document. */
function describeApi(version: string): object {
  const paths: Record<string, Record<string, object>> = {};
  const add = (prefix: string, table: Readonly<Record<string, Route>>, describe: (name: string, route: Route) => object) => {
    for (const [name, route] of Object.entries(table)) {
      const path = prefix + route.path.replace(/:(\w+)/g, '{$1}');
      paths[path] = { ...paths[path], [route.method.toLowerCase()]: describe(name, route) };
    }
  };
  add(API_PREFIX, ROUTES, describeRoute);
  add(CLI_V1_PREFIX, CLI_V1_ROUTES, (name, route) => describeRoute(`cliV1_${name}`, withoutNullsInAnswer(route)));
  add(PROJECT_TOKEN_PREFIX, PROJECT_TOKEN_ROUTES, (name, route) => ({
    ...describeRoute(`cliV1_${name}`, withoutNullsInAnswer(route)),
    description: 'Needs a token of the project itself, with the claim role `service_role`.',
    security: [{ projectToken: [] }],
  }));
  return {
    openapi: '3.1.0',
    info: { title: 'Flux', version, description: 'Self-hosted Postgres control plane.' },
    security: [{ token: [] }],
    paths,
    components: {
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: 'flx_live_<32 hex>_<4 hex>' },
        projectToken: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: "HS256 with the project's secret" },
      },
      schemas: {
        Problem: {
          type: 'object',
          required: ['type', 'title', 'status', 'detail', 'error', 'code'],
          properties: {
            type: { type: 'string' },
            title: { type: 'string' },
            status: { type: 'integer' },
            detail: { type: 'string' },
            error: { type: 'string', description: 'The full text for people.' },
            code: { enum: Object.keys(ERROR_KINDS) },
            hint: { type: 'string' },
            requestId: { type: 'string' },
            details: { type: 'object' },
          },
        },
      },
    },
  };
}

function describeRoute(name: string, route: Route): object {
  const problem = {
    description: 'A problem (RFC 9457)',
    content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
  };
  const content = route.answer === undefined ? {} : { content: { 'application/json': { schema: jsonSchema(route.answer, 'output') } } };
  return {
    operationId: name,
    summary: route.summary,
    description: `Needs a token with access level \`${ACTIONS[route.access].level}\`.`,
    parameters: [...parametersOf(route.params, 'path'), ...parametersOf(route.query, 'query')],
    ...(route.bytes === true
      ? { requestBody: { required: true, content: { 'application/octet-stream': { schema: { type: 'string', format: 'binary' } } } } }
      : {}),
    ...(route.body === undefined ? {} : { requestBody: { content: { 'application/json': { schema: jsonSchema(route.body, 'input') } } } }),
    responses: { [route.status]: { description: 'Done', ...content }, default: problem },
  };
}

function parametersOf(schema: z.ZodType | undefined, where: 'path' | 'query'): object[] {
  if (schema === undefined) return [];
  const { properties = {}, required = [] } = jsonSchema(schema, 'input') as { properties?: Record<string, object>; required?: string[] };
  return Object.entries(properties).map(([name, property]) => ({
    name,
    in: where,
    required: where === 'path' || required.includes(name),
    schema: property,
  }));
}

function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): object {
  return z.toJSONSchema(schema, { io, unrepresentable: 'any' });
}
