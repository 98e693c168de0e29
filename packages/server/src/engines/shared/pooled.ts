import { setTimeout as delay } from 'node:timers/promises';
import { FluxError } from '@flux/contract/errors';
import { connectPostgres, type PostgresSession } from '../../postgres/connect.ts';
import { quoteIdentifier } from '../../postgres/sql/quote.ts';
import type { EngineProject } from '../engine.ts';
import type { PooledTenants } from '../pooled.ts';
import { requireRunning } from '../running.ts';
import type { SharedCluster } from './cluster.ts';
import { holdTenantWrites } from './hold.ts';
import { type TenantNames, tenantNamesOf } from './names.ts';
import { surveyTenant } from './survey.ts';

const PATIENCE_MS = 10_000;

/** What a move out of the pool asks of the pool. */
export function createPooledTenants(cluster: SharedCluster): PooledTenants {
  const withAdmin = async <T>(project: EngineProject, work: (session: PostgresSession) => Promise<T>): Promise<T> => {
    requireRunning(await cluster.status(), project.slug, `flux project start ${project.slug}`);
    await using session = await connectPostgres(cluster.admin());
    return await work(session);
  };
  return {
    survey: (project) => withAdmin(project, (session) => surveyTenant(session, tenantNamesOf(project))),
    holdWrites: (project, signal) => holdTenantWrites(cluster.admin(), tenantNamesOf(project), signal),
    closeLogins: (project) => withAdmin(project, (session) => closeLogins(session, tenantNamesOf(project))),
  };
}

async function closeLogins(session: PostgresSession, { ddl, login }: TenantNames): Promise<void> {
  for (const role of [ddl, login]) await session.run(`ALTER ROLE ${quoteIdentifier(role)} NOLOGIN`);
  for (const deadline = Date.now() + PATIENCE_MS; ; await delay(20)) {
    const alive = await session.query(
      'select pg_catalog.pg_terminate_backend(pid) from pg_catalog.pg_stat_activity where usename = any($1)',
      [[ddl, login]],
    );
    if (alive.length === 0) return;
    if (Date.now() > deadline)
      throw new FluxError('instance_unavailable', `${alive.length} sessions of the project do not end.`, {
        hint: 'Nothing was changed. Run the command again.',
      });
  }
}
