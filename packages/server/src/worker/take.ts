import type { OperationKind } from '@flux/contract/operation-kind';
import { findOperation } from '../catalog/operations.ts';
import { findNextWaiting, listWaitingKinds } from '../catalog/waiting.ts';
import type { BoundOperation, Lane } from '../operations/define.ts';
import { type RunDeps, runQueued } from '../operations/run.ts';
import type { Metrics } from '../system/metrics.ts';
import { LaneSlots, PACE_LIMITS } from './lanes.ts';
import type { JobQueue } from './queue.ts';
import { repeat } from './repeat.ts';

/** What taking operations uses. */
export interface TakeDeps {
  readonly queue: JobQueue;
  readonly kinds: ReadonlyMap<OperationKind, BoundOperation>;
  readonly operations: RunDeps;
  readonly metrics: Metrics;
  /** Slots of each lane for each pace. */
  readonly concurrency: number;
}

/** Notifications come sooner. */
const LOOK_EVERY_MS = 2000;
/** For how long a stop waits for work that was told to end. */
const LETTING_GO_MS = 30_000;

/** Takes operations from now on, in the order and in the slots that `LaneSlots` describes. Returns what ends it, and waits for what runs. */
export function takeOperations({ queue, kinds, operations, metrics, concurrency }: TakeDeps): () => Promise<void> {
  const { catalog, lease, log, stopping } = operations;
  const lanes = [...laneKinds(kinds)].map(([lane, ofLane]) => ({
    kinds: ofLane,
    slots: new LaneSlots(concurrency, PACE_LIMITS, {
      next: (pace) =>
        findNextWaiting(catalog.db, { kinds: ofLane, limits: PACE_LIMITS, pace, ofProject: lane === 'change' ? 'one' : 'many' }),
      async run({ id, kind }, setAside, claimed) {
        const bound = kinds.get(kind);
        if (bound === undefined) return;
        try {
          await runQueued(operations, id, bound, { setAside, claimed });
          const ended = await findOperation(catalog.db, id);
          metrics.operations.inc({ kind, state: ended?.state ?? 'unknown' });
        } catch (error) {
          // Queued operations are looked for again, and the recovery finds what was claimed without an answer.
          log.warn({ err: error, operation: id, kind }, 'an operation could not be taken, or its end could not be read');
        }
      },
      // What is short has nothing of a tenant in it that could take long.
      mayBeSetAside: (kind) => lane !== 'short' && kinds.get(kind)?.afterWorkerLoss === 'restart',
      onChange: () => taking.soon(),
    }),
  }));
  const isStopping = () => stopping.aborted || !lease.isHeld();
  const taking = repeat(LOOK_EVERY_MS, async () => {
    if (isStopping()) return;
    try {
      const waiting = await listWaitingKinds(catalog.db);
      for (const { kinds: ofLane, slots } of lanes) if (ofLane.some((kind) => waiting.has(kind))) await slots.fill(isStopping);
    } catch (error) {
      log.warn({ err: error }, 'looking for queued operations failed');
    }
  });
  queue.work(() => taking.soon());
  return async () => {
    await taking.stop();
    const settled = Promise.all(lanes.map(({ slots }) => slots.settled()));
    await Promise.race([settled, new Promise((resolve) => setTimeout(resolve, LETTING_GO_MS).unref())]);
  };
}

function laneKinds(kinds: ReadonlyMap<OperationKind, BoundOperation>): ReadonlyMap<Lane, OperationKind[]> {
  const lanes = new Map<Lane, OperationKind[]>();
  for (const [kind, { lane }] of kinds) lanes.set(lane, [...(lanes.get(lane) ?? []), kind]);
  return lanes;
}
