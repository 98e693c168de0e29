import { FluxError } from '@flux/contract/errors';
import { connectPostgres, type PostgresSession } from '../../postgres/connect.ts';
import type { ListedStanding, StandingSupport, Standings } from '../standing.ts';
import type { SharedCluster } from './cluster.ts';
import { tenantNamesOf } from './names.ts';

/** Only a schema that is there has a standing: what a removal that was cut off has left counts for nothing. */
const WITH_SCHEMA = 'from flux.standings s join pg_catalog.pg_namespace n on n.nspname = s.tenant_schema';

/** The standings of pooled projects: a table of the shared database that no tenant may read or lock. */
export function sharedStanding(cluster: SharedCluster, standings: Standings): StandingSupport {
  const withSession = async <T>(
    nothing: T,
    signal: AbortSignal | undefined,
    work: (session: PostgresSession) => Promise<T>,
  ): Promise<T> => {
    if ((await cluster.status(signal)).state === 'missing') return nothing;
    // The table is missing where an earlier release made the cluster.
    await cluster.open(signal);
    await using session = await connectPostgres(cluster.admin(), { signal });
    return await work(session);
  };
  return {
    read: (project, signal) =>
      withSession('absent', signal, async (session) => {
        const [row] = await session.query<{ standing: string }>(`select standing ${WITH_SCHEMA} where tenant_schema = $1`, [
          tenantNamesOf(project).schema,
        ]);
        return standings.read(row?.standing);
      }),
    write: (standing, signal) =>
      withSession(undefined, signal, async (session) => {
        await session.query(
          `insert into flux.standings (tenant_schema, standing)
           select nspname, $2 from pg_catalog.pg_namespace where nspname = $1
           on conflict (tenant_schema) do update set standing = excluded.standing`,
          [tenantNamesOf(standing.project).schema, standings.write(standing)],
        );
      }),
    async list(signal) {
      const { state, problem } = await cluster.status(signal);
      // A start has waited for it by then, and its supervisor goes on.
      if (state === 'starting' || state === 'failing')
        throw new FluxError('instance_unavailable', `It does not answer yet${problem === null ? '.' : `: ${problem}`}`);
      return await withSession<readonly ListedStanding[]>([], signal, async (session) => {
        const rows = await session.query<{ schema: string; standing: string }>(
          `select tenant_schema as schema, standing ${WITH_SCHEMA} order by 1`,
        );
        return rows.flatMap(({ schema, standing }) => {
          const found = standings.read(standing);
          return found === 'absent' ? [] : [{ place: `Schema ${schema} of the pooled cluster`, found }];
        });
      });
    },
  };
}
