import { ROUTES } from '@flux/contract/routes';
import { visibleProjects } from '../access/policy.ts';
import { createProject, initProject } from '../projects/create.ts';
import { readCredentials } from '../projects/credentials.ts';
import { describeProject, listMigrations } from '../projects/details.ts';
import { listSummaries } from '../projects/list.ts';
import { startProject, stopProject } from '../projects/power.ts';
import { pushSql } from '../projects/push.ts';
import type { ApiDoors } from './doors.ts';
import { type Router, requireProject } from './router.ts';

/** Projects, their credentials, their SQL. */
export function registerProjectRoutes(router: Router, doors: ApiDoors): void {
  const { projects } = doors;
  router.json(ROUTES.listProjects, async ({ principal, query }) => {
    const there = query.unfinished === 'true' ? 'unfinished' : 'active';
    return listSummaries(projects, visibleProjects(principal), query.removed === 'true' ? 'removed' : there);
  });
  router.json(ROUTES.createProject, async ({ principal, body }) => createProject(projects, principal.actor, body));
  router.json(ROUTES.initProject, async ({ principal, body }) => initProject(projects, principal, body));
  router.json(ROUTES.getProject, async ({ principal, params }) =>
    describeProject(projects, await requireProject(doors, principal, params.hash)),
  );
  router.json(ROUTES.startProject, async ({ principal, params, signal }) =>
    startProject(projects, await requireProject(doors, principal, params.hash), signal),
  );
  router.json(ROUTES.stopProject, async ({ principal, params, signal }) =>
    stopProject(projects, await requireProject(doors, principal, params.hash), signal),
  );
  router.json(ROUTES.getCredentials, async ({ principal, params }) =>
    readCredentials(projects, await requireProject(doors, principal, params.hash)),
  );
  router.json(ROUTES.listMigrations, async ({ principal, params, signal }) => ({
    applied: [...(await listMigrations(projects, await requireProject(doors, principal, params.hash), signal))],
  }));
  router.json(ROUTES.push, async ({ principal, body, signal }) =>
    pushSql(projects, await requireProject(doors, principal, body.hash), principal.actor, body, signal),
  );
}
