import type { Finding } from '@flux/contract/doctor';
import type { ProjectSummary } from '@flux/contract/project';
import { ROUTES } from '@flux/contract/routes';
import { pusherOf, visibleProjects } from '../../access/policy.ts';
import { answerGate } from '../../backups/gate-answer.ts';
import { readTrust } from '../../backups/list.ts';
import { overrideOf } from '../../backups/override.ts';
import { reattachProject } from '../../projects/attach.ts';
import { createProject, linkProject } from '../../projects/create.ts';
import { readCredentials } from '../../projects/credentials.ts';
import { examineProject } from '../../projects/doctor.ts';
import { enableExtension, listExtensions } from '../../projects/extensions.ts';
import { listMigrations } from '../../projects/ledger.ts';
import { describeProject, listSummaries, parseProjectCursor, projectCursorOf } from '../../projects/list.ts';
import { previewMigration, requestMigration } from '../../projects/migrate.ts';
import { requestNuke } from '../../projects/nuke.ts';
import { startProject, stopProject } from '../../projects/power.ts';
import { pushSql } from '../../projects/push.ts';
import { answerQuota, changeQuota } from '../../projects/quota.ts';
import { requestReset } from '../../projects/reset.ts';
import { requestUndo } from '../../projects/restore.ts';
import { changeSettings } from '../../projects/settings.ts';
import type { ProjectRouteDeps } from '../deps.ts';
import { cutPage, readPage } from '../page.ts';
import { type Router, requireProject } from '../router.ts';
import { startWork } from './start-work.ts';

/** Routes of projects. */
export function registerProjectRoutes(router: Router, deps: ProjectRouteDeps): void {
  router.json(ROUTES.listProjects, async ({ principal, query }) => {
    const { which = 'active' } = query;
    const page = readPage(query, (cursor) => parseProjectCursor(which, cursor));
    const found = await listSummaries(deps, visibleProjects(principal), which, { limit: page.limit + 1, after: page.after });
    const { rows, nextCursor } = cutPage(found, page, (last) => projectCursorOf(which, last.row));
    const projects = await Promise.all(rows.map(async ({ row, summary }) => ({ ...summary, ...(await readTrust(deps, row)) })));
    return { projects, nextCursor };
  });
  router.json(ROUTES.createProject, async ({ principal, body }) => {
    const { summary, findings } = await createProject(deps, principal.actor, body);
    return lookedAt(summary, findings);
  });
  router.json(ROUTES.attachProject, async ({ principal, params, body, signal }) => {
    const project = await requireProject(deps, principal, params.hash);
    const { summary, findings } = await reattachProject(deps, project, principal.actor, body, signal);
    return lookedAt(summary, findings);
  });
  router.json(ROUTES.linkProject, async ({ principal, body }) => linkProject(deps, principal, body));
  router.json(ROUTES.showProject, async ({ principal, params }) => ({
    project: await describeProject(deps, await requireProject(deps, principal, params.hash)),
  }));
  router.json(ROUTES.setProject, async ({ principal, params, body }) => {
    const row = await requireProject(deps, principal, params.hash);
    return { project: await describeProject(deps, await changeSettings(deps, row, principal.actor, body)) };
  });
  router.json(ROUTES.getQuota, async ({ principal, params }) => answerQuota(deps, await requireProject(deps, principal, params.hash)));
  router.json(ROUTES.setQuota, async ({ principal, params, body }) =>
    changeQuota(deps, await requireProject(deps, principal, params.hash), principal.actor, body),
  );
  router.json(ROUTES.startProject, async ({ principal, params, signal }) => ({
    project: await startProject(deps, await requireProject(deps, principal, params.hash), signal),
  }));
  router.json(ROUTES.stopProject, async ({ principal, params, signal }) => ({
    project: await stopProject(deps, await requireProject(deps, principal, params.hash), signal),
  }));
  router.json(ROUTES.getCredentials, async ({ principal, params }) =>
    readCredentials(deps, await requireProject(deps, principal, params.hash)),
  );
  router.json(ROUTES.examineProject, async ({ principal, params }) => {
    const project = await requireProject(deps, principal, params.hash);
    return examineProject(deps, project);
  });
  router.json(ROUTES.askGate, async ({ principal, params, query, signal }) =>
    answerGate(deps, await requireProject(deps, principal, params.hash), query, signal),
  );
  router.json(ROUTES.push, async ({ principal, params, body, signal }) =>
    pushSql(deps, await requireProject(deps, principal, params.hash), pusherOf(principal), body, signal),
  );
  router.json(ROUTES.listMigrations, async ({ principal, params, query, signal }) => {
    const applied = await listMigrations(deps, await requireProject(deps, principal, params.hash), signal);
    // The ledger is read whole: it is a table of the project, and it is not ordered by any column.
    const page = readPage(query, (cursor) => (applied.some(({ version }) => version === cursor) ? cursor : undefined));
    const start = applied.findIndex(({ version }) => version === page.after) + 1;
    const { rows, nextCursor } = cutPage(applied.slice(start), page, ({ version }) => version);
    return { applied: [...rows], nextCursor };
  });
  router.json(ROUTES.listExtensions, async ({ principal, params, signal }) => ({
    extensions: await listExtensions(deps, await requireProject(deps, principal, params.hash), signal),
  }));
  router.json(ROUTES.enableExtension, async ({ principal, params, body, signal }) =>
    enableExtension(deps, await requireProject(deps, principal, params.hash), principal, body.name, signal),
  );
  router.json(ROUTES.planMigration, async ({ principal, params, body }) =>
    previewMigration(deps, await requireProject(deps, principal, params.hash), body ?? {}),
  );
  router.json(ROUTES.migrate, async ({ principal, params, body }) => {
    const project = await requireProject(deps, principal, params.hash);
    return startWork(deps, await requestMigration(deps, project, principal.actor, body));
  });
  router.json(ROUTES.resetProject, async ({ principal, params, body }) => {
    const project = await requireProject(deps, principal, params.hash);
    return startWork(deps, await requestReset(deps, project, principal.actor, body));
  });
  router.json(ROUTES.undoRestore, async ({ principal, params }) => {
    const project = await requireProject(deps, principal, params.hash);
    return startWork(deps, await requestUndo(deps, project, principal.actor));
  });
  router.json(ROUTES.nukeProject, async ({ principal, params, body }) => {
    const project = await requireProject(deps, principal, params.hash);
    return startWork(deps, await requestNuke(deps, project, principal.actor, overrideOf(body ?? {})));
  });
}

function lookedAt(project: ProjectSummary, findings: readonly Finding[]) {
  return { project, ...(findings.length === 0 ? {} : { findings: [...findings] }) };
}
