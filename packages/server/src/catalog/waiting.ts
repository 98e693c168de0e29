import type { OperationId, ProjectId } from '@flux/contract/ids';
import type { OperationKind } from '@flux/contract/operation-kind';
import { sql } from 'kysely';
import type { Database } from './open.ts';
import type { Pace } from './tables.ts';

/** How long operations of the two faster paces take at most, in milliseconds. What takes longer is `long`. */
export interface PaceLimits {
  readonly quick: number;
  readonly medium: number;
}

/** What to look for among the queued operations. */
export interface WaitingFor {
  /** The kinds of one lane. */
  readonly kinds: readonly OperationKind[];
  readonly limits: PaceLimits;
  /** What an operation is taken for: what the last one of its project and kind turned out to be, unless it was set aside as slower. */
  readonly pace: Pace;
  /** How many quick slots of the lane a project may have: `one` slot at all where nothing can be set aside. */
  readonly ofProject?: 'many' | 'one';
}

/** A queued operation whose turn it is. */
export interface WaitingOperation {
  readonly id: OperationId;
  readonly kind: OperationKind;
  readonly projectId: ProjectId;
}

/**
 * The queued operation whose turn it is; undefined when none waits. What a user waits for goes before what the control plane does by itself;
 * then the user, and the project, of whom fewer run in this lane; then who has waited longer, where an operation counts as having come later
 * by the time that the last one of its project and kind took. So who is slow again and again waits at most that much longer than in the order
 * of arrival, and nobody waits for ever. A project gets a slot that is not quick only while nothing of it runs in this lane.
 */
export async function findNextWaiting(
  db: Database,
  { kinds, limits, pace, ofProject = 'many' }: WaitingFor,
): Promise<WaitingOperation | undefined> {
  const isLonger = (ms: number) => sql`coalesce(last.took, interval '0') > ${ms} * interval '1 ms'`;
  const isLong = sql`(o.pace = 'long' or ${isLonger(limits.medium)}) is true`;
  const isQuick = sql`(o.pace is not null or ${isLonger(limits.quick)}) is not true`;
  const hasPace = {
    quick: ofProject === 'many' ? isQuick : sql`${isQuick} and share.of_project = 0`,
    medium: sql`not ${isQuick} and not ${isLong} and share.of_project = 0`,
    long: sql`${isLong} and share.of_project = 0`,
  };
  const { rows } = await sql<WaitingOperation>`
    with running as (
      select r.project_id, p.owner_id from operations r join projects p on p.id = r.project_id
      where r.state = 'running' and r.kind = any(${kinds})
    )
    select o.id, o.kind, o.project_id as "projectId"
    from operations o join projects p on p.id = o.project_id
      left join lateral (
        select e.finished_at - e.started_at as took from operations e
        where e.project_id = o.project_id and e.kind = o.kind and e.state in ('succeeded', 'failed')
          and e.finished_at <= now() + ${CLOCK_DIFFERENCE}
        order by e.finished_at desc limit 1
      ) last on true
      cross join lateral (
        select count(*) filter (where r.project_id = o.project_id) as of_project, count(*) filter (where r.owner_id = p.owner_id) as of_owner
        from running r
      ) share
    where o.state = 'queued' and o.kind = any(${kinds}) and ${hasPace[pace]}
    order by o.requested_by is null, share.of_owner, share.of_project,
      o.created_at + least(greatest(coalesce(last.took, interval '0'), interval '0'), ${MOST_LATER}), o.id
    limit 1`.execute(db);
  return rows[0];
}

/** An end that is later than this was written while a clock was ahead, and would be the last one until the time has come. */
const CLOCK_DIFFERENCE = sql`interval '1 minute'`;
/** The most by which an operation counts as having come later: a clock that was put right while it ran must not make it days. */
const MOST_LATER = sql`interval '1 hour'`;

/** Kinds of which an operation waits. */
export async function listWaitingKinds(db: Database): Promise<ReadonlySet<OperationKind>> {
  const rows = await db.selectFrom('operations').select('kind').distinct().where('state', '=', 'queued').execute();
  return new Set(rows.map(({ kind }) => kind));
}
