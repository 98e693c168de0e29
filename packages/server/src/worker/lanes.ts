import type { OperationId, ProjectId } from '@flux/contract/ids';
import type { OperationKind } from '@flux/contract/operation-kind';
import type { Pace } from '../catalog/tables.ts';
import type { PaceLimits, WaitingOperation } from '../catalog/waiting.ts';

/** How long an operation may keep a quick or a medium slot while others wait for it, in milliseconds. */
export const PACE_LIMITS: PaceLimits = { quick: 3000, medium: 20_000 };

const PACES = ['quick', 'medium', 'long'] as const satisfies readonly Pace[];

/** What the slots of a lane are given to. */
export interface LaneDeps {
  /** The queued operation of this lane and pace whose turn it is. */
  next(pace: Pace): Promise<WaitingOperation | undefined>;
  /** Runs an operation to its end, whatever that is; MUST NOT throw. Calls `claimed` as soon as it is this worker's. */
  run(operation: WaitingOperation, setAside: AbortSignal, claimed: () => void): Promise<void>;
  /** Whether an operation of this kind can be ended and queued again without harm. */
  mayBeSetAside(kind: OperationKind): boolean;
  /** Called when a slot may be had. */
  onChange(): void;
}

/** An operation that runs in a slot. */
interface Running extends WaitingOperation {
  readonly id: OperationId;
  readonly projectId: ProjectId;
  readonly since: number;
  readonly setAside: AbortController;
}

/**
 * The slots of one lane: as many for each pace. An operation begins in a slot of the pace that it is taken for. When it has had the time of
 * that pace, it moves to a free slot of a slower pace, the slowest first, if its project has none of those; otherwise, as soon as another one
 * waits for its slot, it is set aside: ended, and queued again for slower slots. So whoever waits for a quick slot waits for at most the time
 * of that pace for each round of those before them, however long all of them take, as long as they can be set aside.
 */
export class LaneSlots {
  readonly #size: number;
  readonly #limits: PaceLimits;
  readonly #deps: LaneDeps;
  readonly #slots: Readonly<Record<Pace, Set<Running>>> = { quick: new Set(), medium: new Set(), long: new Set() };
  readonly #underway = new Set<Promise<void>>();

  /** @param size slots for each pace */
  constructor(size: number, limits: PaceLimits, deps: LaneDeps) {
    this.#size = size;
    this.#limits = limits;
    this.#deps = deps;
  }

  /** Gives free slots to who waits. Not to be called again before it has ended. */
  async fill(isStopping: () => boolean): Promise<void> {
    for (const pace of PACES) {
      while (!isStopping()) {
        this.#promote();
        if (!this.#isFree(pace) && this.#overdue(pace) === undefined) break;
        const next = await this.#deps.next(pace);
        if (next === undefined) break;
        if (!this.#isFree(pace)) this.#setOneAside(pace);
        // One that ended meanwhile has made room, too.
        if (this.#isFree(pace) && !(await this.#start(next, pace))) return;
      }
    }
  }

  /** Waits until everything that runs has ended. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#underway);
  }

  #isFree(pace: Pace): boolean {
    return this.#slots[pace].size < this.#size;
  }

  /** Moves what has had the time of its pace to free slots of a slower one, the oldest first. */
  #promote(): void {
    for (const pace of ['medium', 'quick'] as const) {
      for (const running of this.#slots[pace]) {
        if (!this.#hasHadItsTime(running, pace)) continue;
        const slower = PACES.slice(PACES.indexOf(pace) + 1).reverse();
        const isTaken = slower.some((one) => [...this.#slots[one]].some(({ projectId }) => projectId === running.projectId));
        const free = slower.find((one) => this.#isFree(one));
        if (isTaken || free === undefined) continue;
        this.#slots[pace].delete(running);
        this.#slots[free].add(running);
      }
    }
  }

  #hasHadItsTime({ since }: Running, pace: Pace): boolean {
    return pace !== 'long' && performance.now() - since >= this.#limits[pace];
  }

  #overdue(pace: Pace): Running | undefined {
    return [...this.#slots[pace]].find((running) => this.#hasHadItsTime(running, pace) && this.#deps.mayBeSetAside(running.kind));
  }

  /** Its slot is free at once: how long it takes to end must delay nobody. */
  #setOneAside(pace: Pace): void {
    const running = this.#overdue(pace);
    if (running === undefined) return;
    this.#slots[pace].delete(running);
    const slower = pace === 'quick' ? 'medium' : 'long';
    running.setAside.abort(slower satisfies Pace);
  }

  /**
   * Resolves when the operation is claimed: until then it would be the next one again. False when it was not: another worker has it, or
   * the catalog does not answer.
   */
  async #start(operation: WaitingOperation, pace: Pace): Promise<boolean> {
    const running: Running = { ...operation, since: performance.now(), setAside: new AbortController() };
    this.#slots[pace].add(running);
    const timers = Object.values(this.#limits).map((ms) => setTimeout(() => this.#deps.onChange(), ms + 1));
    let isClaimed = false;
    return await new Promise<boolean>((resolve) => {
      const claimed = () => {
        isClaimed = true;
        resolve(true);
      };
      const work = this.#deps.run(operation, running.setAside.signal, claimed).then(() => {
        for (const timer of timers) clearTimeout(timer);
        for (const slots of Object.values(this.#slots)) slots.delete(running);
        this.#underway.delete(work);
        if (isClaimed) this.#deps.onChange();
        else resolve(false);
      });
      this.#underway.add(work);
    });
  }
}
