import { CLI_V1_ROUTES as ROUTES } from '@flux/contract/cli-v1/routes';
import { toSlug } from '@flux/contract/ids';
import { type Principal, pusherOf, visibleProjects } from '../../access/policy.ts';
import { answerGate } from '../../backups/gate-answer.ts';
import { overrideOf } from '../../backups/override.ts';
import { createProject, linkProject } from '../../projects/create.ts';
import { readCredentials } from '../../projects/credentials.ts';
import { examineProject } from '../../projects/doctor.ts';
import { listMigrations } from '../../projects/ledger.ts';
import { describeProject, listSummaries } from '../../projects/list.ts';
import { previewMigration, requestMigration } from '../../projects/migrate.ts';
import { requestNuke } from '../../projects/nuke.ts';
import { startProject, stopProject } from '../../projects/power.ts';
import { pushSql } from '../../projects/push.ts';
import { requestReset } from '../../projects/reset.ts';
import { requestUndo } from '../../projects/restore.ts';
import type { ProjectRouteDeps } from '../deps.ts';
import { projectNotFound, type Router, requireProject } from '../router.ts';
import { toDoctorReport } from './doctor-report.ts';
import { requireSlugOf, toLegacyPush, toListedProject } from './legacy-shapes.ts';
import { howOf, locksWrites } from './migrate.ts';
import { answerWork } from './wait-or-follow.ts';

/** Routes of projects for existing clients. */
export function registerProjectRoutes(router: Router, deps: ProjectRouteDeps): void {
  const { publicUrl } = deps;
  router.json(ROUTES.listProjects, async ({ principal, query }) => {
    const there = query.unfinished === 'true' ? 'unfinished' : 'active';
    const rows = await listSummaries(deps, visibleProjects(principal), query.removed === 'true' ? 'removed' : there);
    return rows.map(({ summary }) => toListedProject(summary, publicUrl));
  });
  router.json(ROUTES.createProject, async ({ principal, body: { name, ...choices } }) => {
    const { summary, jwtSecret, postgres } = await createProject(deps, principal.actor, { slug: toSlug(name), ...choices });
    return {
      summary: toListedProject(summary, publicUrl),
      mode: summary.mode,
      ...(summary.mode === 'v2_shared' ? { projectJwtSecret: jwtSecret } : {}),
      secrets: {
        pgrstJwtSecret: jwtSecret,
        postgresPassword: postgres.password,
        postgresContainerHost: postgres.host,
        note: '`flux project credentials` shows the password and the JWT secret again.',
      },
    };
  });
  router.json(ROUTES.initProject, async ({ principal, body }) => {
    const { action, project } = await linkProject(deps, principal, { ...body, slug: toSlug(body.slug) });
    const { slug, hash, mode, apiSchema } = project;
    return { action, slug, hash, mode, apiUrl: publicUrl, apiSchema };
  });
  router.json(ROUTES.getProject, async ({ principal, params }) => {
    const row = await requireProject(deps, principal, params.hash);
    // Its backups can still be listed, and `flux project show` tells about it.
    if (row.lifecycle === 'removed') throw projectNotFound(row.hash);
    const { slug, hash, mode, apiSchema } = await describeProject(deps, row);
    return { slug, hash, mode, apiSchema };
  });
  const changePower = async (change: typeof startProject, principal: Principal, hash: string, signal: AbortSignal) => {
    const summary = await change(deps, await requireProject(deps, principal, hash), signal);
    return { ok: true as const, summary: toListedProject(summary, publicUrl) };
  };
  router.json(ROUTES.startProject, ({ principal, params, signal }) => changePower(startProject, principal, params.hash, signal));
  router.json(ROUTES.stopProject, ({ principal, params, signal }) => changePower(stopProject, principal, params.hash, signal));
  router.json(ROUTES.changePower, ({ principal, params, body, signal }) =>
    changePower(body.action === 'start' ? startProject : stopProject, principal, params.hash, signal),
  );
  router.json(ROUTES.getCredentials, async ({ principal, params }) => {
    const credentials = await readCredentials(deps, await requireProject(deps, principal, params.hash));
    return { ...credentials, postgresConnectionString: credentials.postgres.url };
  });
  router.json(ROUTES.examineProject, async ({ principal, params }) => {
    const project = await requireProject(deps, principal, params.hash);
    return examineProject(deps, project);
  });
  router.json(ROUTES.reportProject, async ({ principal, params }) => {
    const row = await requireProject(deps, principal, params.hash);
    return toDoctorReport(await examineProject(deps, row), { project: await describeProject(deps, row) }, deps.clock.now());
  });
  router.json(ROUTES.askGate, async ({ principal, params, query, signal }) =>
    answerGate(deps, await requireProject(deps, principal, params.hash), query, signal),
  );
  router.json(ROUTES.listMigrations, async ({ principal, params, signal }) => ({
    applied: [...(await listMigrations(deps, await requireProject(deps, principal, params.hash), signal))],
  }));
  router.json(ROUTES.push, async ({ principal, body: { slug, hash, ...push }, signal }) => {
    const project = await requireProject(deps, principal, hash);
    requireSlugOf(project, slug);
    return toLegacyPush(await pushSql(deps, project, pusherOf(principal), push, signal));
  });
  router.work(ROUTES.migrate, async (call) => {
    const { principal, body } = call;
    const project = await requireProject(deps, principal, body.hash);
    requireSlugOf(project, body.slug);
    const how = howOf(body);
    const lockWrites = locksWrites(body);
    const { to, dropSourceAfter, skipBackupCheck, reason } = body;
    if (how === 'dry_run') return { done: await previewMigration(deps, project, { to, lockWrites, dropSourceAfter }) };
    const request = { how, to, lockWrites, dropSourceAfter, skipBackupCheck, reason };
    const id = await requestMigration(deps, project, principal.actor, request);
    return answerWork(deps, call, { kind: 'migrate', id }, async (result) => result);
  });
  router.work(ROUTES.resetProject, async (call) => {
    const project = await requireProject(deps, call.principal, call.params.hash);
    const id = await requestReset(deps, project, call.principal.actor, call.body);
    return answerWork(deps, call, { kind: 'reset', id }, async (result) => result);
  });
  router.work(ROUTES.undoRestore, async (call) => {
    const project = await requireProject(deps, call.principal, call.params.hash);
    const id = await requestUndo(deps, project, call.principal.actor);
    return answerWork(deps, call, { kind: 'backup_restore', id }, async (result) => result);
  });
  router.work(ROUTES.nukeProject, async (call) => {
    const project = await requireProject(deps, call.principal, call.params.hash);
    const id = await requestNuke(deps, project, call.principal.actor, overrideOf(call.query));
    return answerWork(deps, call, { kind: 'nuke', id }, async ({ hash, removed }) => ({ ok: true, mode: 'catalog', hash, removed }));
  });
}
