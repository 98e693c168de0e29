import * as z from 'zod';
import { MigrationList } from '../../project.ts';
import type { Route } from '../../route.ts';
import * as legacyProject from '../project.ts';

/** Prefix of the routes that existing clients call with a project's own token. */
export const PROJECT_TOKEN_PREFIX = '/api';

const slug = z.object({ slug: z.string() });

/**
 * How existing clients push to a pooled project: with a JWT that is signed with the project's secret (HS256, claim
 * `role: service_role`) instead of an API token. `access` says what that token stands for.
 */
export const PROJECT_TOKEN_ROUTES = {
  projectPush: {
    method: 'POST',
    path: '/projects/:slug/push',
    maxBodyBytes: 128 * 2 ** 20,
    summary: "Run SQL in one transaction, with the project's own token",
    access: 'project.push',
    params: slug,
    body: legacyProject.ProjectPushRequest,
    answer: legacyProject.LegacyPushAnswer,
    status: 200,
  },
  projectMigrations: {
    method: 'GET',
    path: '/projects/:slug/migrations',
    summary: "List the applied migrations, with the project's own token",
    access: 'project.read',
    params: slug,
    query: z.object({ hash: z.string() }),
    answer: MigrationList.omit({ nextCursor: true }),
    status: 200,
  },
} as const satisfies Record<string, Route>;
