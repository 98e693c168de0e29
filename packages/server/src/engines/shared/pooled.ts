import { connectPostgres, type PostgresSession } from '../../postgres/connect.ts';
import { endSessions } from '../../postgres/sessions.ts';
import { quoteIdentifier } from '../../postgres/sql/quote.ts';
import type { EngineProject } from '../engine.ts';
import type { PooledSupport } from '../pooled.ts';
import { requireRunning } from '../running.ts';
import { blockTenantWrites } from './block-writes.ts';
import type { SharedCluster } from './cluster.ts';
import { type TenantNames, tenantNamesOf } from './names.ts';
import { surveyTenant } from './survey.ts';

/** What the pool provides for moving a project out of it. */
export function createPooledSupport(cluster: SharedCluster, repair: PooledSupport['repair']): PooledSupport {
  const withAdmin = async <T>(
    project: EngineProject,
    signal: AbortSignal | undefined,
    work: (session: PostgresSession, names: TenantNames) => Promise<T>,
  ): Promise<T> => {
    requireRunning(await cluster.status(), project.slug, `flux project start ${project.slug}`);
    await using session = await connectPostgres(cluster.admin(), { signal });
    return await work(session, tenantNamesOf(project));
  };
  return {
    survey: (project, signal) => withAdmin(project, signal, surveyTenant),
    blockWrites: (project, signal) => blockTenantWrites(cluster.admin(), tenantNamesOf(project), signal),
    closeLogins: (project, signal) => withAdmin(project, signal, (session, names) => closeLogins(session, names, signal)),
    repair,
  };
}

async function closeLogins(session: PostgresSession, { ddl, login }: TenantNames, signal?: AbortSignal): Promise<void> {
  const roles = [ddl, login];
  for (const role of roles) await session.run(`ALTER ROLE ${quoteIdentifier(role)} NOLOGIN`);
  await endSessions(session, { roles }, { which: 'all', signal });
}
