import { isFluxError } from '@flux/contract/errors';
import { connectPostgres } from '../../postgres/connect.ts';
import { keepSession } from '../../postgres/kept-session.ts';
import { type BoundedAnswer, boundAnswer } from '../../system/bounded-answer.ts';
import { didNotAnswer, STATUS_BOUNDS } from '../running.ts';
import type { ClusterStatus, SharedCluster } from './cluster.ts';

/** Which tenants there are, for as many projects as want to know. */
export interface TenantRoll {
  /** The cluster as it was a second ago at most; `schemas` is there when it answers. Waits two seconds at most. */
  read(): Promise<RollCall>;
  /** A schema was created, renamed or removed. */
  forget(): void;
}

export interface RollCall {
  readonly status: ClusterStatus;
  readonly postgresVersion: string | null;
  /** The names of all schemas of tenants: live ones, staging and undo data. */
  readonly schemas: ReadonlySet<string> | undefined;
}

/** How often a new session is tried: a server may go on with those that it has, and take no other. */
const KNOCK_MS = 3000;

const ROLL = `select pg_catalog.split_part(pg_catalog.current_setting('server_version'), ' ', 1) as version,
  array(select nspname::text from pg_catalog.pg_namespace where nspname ~ '^t_[0-9a-f]{12}_') as schemas`;

/** Reads all tenants with one query on one kept session, however many projects are asked for and by however many at once. */
export function createTenantRoll(cluster: SharedCluster): TenantRoll {
  const session = keepSession(
    () => cluster.admin(),
    () => call.forget(),
  );
  let knockedAt = Number.NEGATIVE_INFINITY;
  const knock = async (signal: AbortSignal) => {
    if (performance.now() - knockedAt < KNOCK_MS) return;
    await (await connectPostgres(cluster.admin(), { signal })).close();
    knockedAt = performance.now();
  };
  const call: BoundedAnswer<RollCall> = boundAnswer(
    async (signal): Promise<RollCall> => {
      const status = await cluster.status(signal);
      const unknown = { postgresVersion: null, schemas: undefined };
      if (status.state !== 'running') return { status, ...unknown };
      try {
        const [, [found]] = await Promise.all([knock(signal), session.query<{ version: string; schemas: string[] }>(ROLL, [], signal)]);
        return { status, postgresVersion: found?.version ?? null, schemas: new Set(found?.schemas) };
      } catch (error) {
        if (!isFluxError(error)) throw error;
        return { status: { ...status, state: 'failing', problem: error.message }, ...unknown };
      }
    },
    { ...STATUS_BOUNDS, freshMs: 1000 },
  );
  return {
    async read() {
      const answer = await call.get();
      if (answer !== undefined) return answer;
      const known = { id: 'shared', port: null, restarts: 0, lastRestartAt: null, major: null };
      return { status: { ...known, ...didNotAnswer() }, postgresVersion: null, schemas: undefined };
    },
    forget: call.forget,
  };
}
