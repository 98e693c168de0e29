import type { PostgresSession } from '../../postgres/connect.ts';
import { withLockReport } from '../../postgres/lock-watch.ts';
import { readPositions } from '../../postgres/sequence-positions.ts';
import { endSessions } from '../../postgres/sessions.ts';
import { quoteIdentifier } from '../../postgres/sql/quote.ts';
import type { PostgresTarget } from '../../postgres/target.ts';
import type { Log } from '../../system/log.ts';
import type { EngineProject } from '../engine.ts';
import type { PooledSupport } from '../pooled.ts';
import { requireRunning } from '../running.ts';
import { blockTenantWrites } from './block-writes.ts';
import type { SharedCluster } from './cluster.ts';
import { whileEndingBlockers } from './drop-schemas.ts';
import { type TenantNames, tenantNamesOf } from './names.ts';
import { allowDdl } from './refuse-ddl.ts';
import { surveyTenant } from './survey.ts';
import { listChangesSince, readTenantState } from './tenant-state.ts';

/** What the pool provides for moving a project out of it. */
export function createPooledSupport(cluster: SharedCluster, repair: PooledSupport['repair'], log: Log): PooledSupport {
  const withAdmin = async <T>(
    project: EngineProject,
    signal: AbortSignal | undefined,
    work: (session: PostgresSession, names: TenantNames) => Promise<T>,
  ): Promise<T> => {
    requireRunning(await cluster.status(), project.slug, `flux project start ${project.slug}`);
    return await withLockReport(cluster.admin(), (session) => work(session, tenantNamesOf(project)), signal);
  };
  return {
    survey: (project, signal) => withAdmin(project, signal, surveyTenant),
    blockWrites: (project, signal) => blockTenantWrites(cluster.admin(), tenantNamesOf(project), log, signal),
    closeLogins: (project, signal) => withAdmin(project, signal, (session, names) => closeLogins(cluster.admin(), session, names, signal)),
    readState: (project, signal) => withAdmin(project, signal, readTenantState),
    listChanges: (project, since, signal) => withAdmin(project, signal, (session, names) => listChangesSince(session, names, since)),
    readSequences: (project, signal) => withAdmin(project, signal, (session, { schema }) => readPositions(session, schema)),
    async repair(project, signal) {
      await repair(project, signal);
      await withAdmin(project, signal, allowDdl);
    },
  };
}

async function closeLogins(
  admin: PostgresTarget,
  session: PostgresSession,
  { ddl, login }: TenantNames,
  signal?: AbortSignal,
): Promise<void> {
  const roles = [ddl, login];
  for (const role of roles) await whileEndingBlockers(admin, session, () => session.run(`ALTER ROLE ${quoteIdentifier(role)} NOLOGIN`));
  await endSessions(session, { roles }, { which: 'all', signal });
}
