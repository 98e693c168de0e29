import { FluxError } from '@flux/contract/errors';
import type { ProjectHash, ProjectId } from '@flux/contract/ids';
import * as z from 'zod';
import { deadlineAfter } from '../system/deadline.ts';
import { isDoneWithin } from '../system/done-within.ts';
import type { Stamp } from '../system/stamp.ts';

const StandingSchema = z.object({
  format: z.literal(1),
  /**
   * `live`: the catalog says, or said, that the data of the project is here. `removing`: its removal was cleared. `left`: the project
   * has moved to another engine, and this is what it left behind.
   */
  standing: z.enum(['live', 'removing', 'left']),
  at: z.iso.datetime(),
  project: z.object({
    id: z.string().transform((id) => id as ProjectId),
    hash: z.string().transform((hash) => hash as ProjectHash),
    slug: z.string(),
    engine: z.enum(['v1_dedicated', 'v2_shared']),
    /** Name of the user that owns it. */
    owner: z.string(),
    createdAt: z.iso.datetime(),
    /** As the catalog stores them, sealed; base64. */
    sealedSecrets: z.string(),
  }),
});

/**
 * What a server or a schema is. It lies beside the data and is written after the catalog's commit, so that a catalog from an older copy
 * cannot have live data removed.
 */
export type Standing = z.infer<typeof StandingSchema>;

/** What was found beside the data. `unreadable`: something is there that this installation has not signed, or that is damaged. */
export type FoundStanding = Standing | 'absent' | 'unreadable';

/** Signs standings, and tells those of this installation from anything else. */
export interface Standings {
  write(standing: Standing): string;
  read(text: string | undefined): FoundStanding;
}

export function createStandings(stamp: Stamp): Standings {
  return {
    write: (standing) => {
      const body = JSON.stringify(standing);
      return `${body}\n${stamp.of(body)}\n`;
    },
    read: (text) => {
      if (text === undefined) return 'absent';
      const [body = '', signature = ''] = text.split('\n');
      if (!stamp.isOf(body, signature)) return 'unreadable';
      // A later release may have written it in another shape; it is genuine then, and not for this one to judge.
      const parsed = StandingSchema.safeParse(JSON.parse(body));
      return parsed.success ? parsed.data : 'unreadable';
    },
  };
}

/** The standings of one engine, beside the data of its projects. */
export interface StandingSupport {
  read(project: { readonly id: ProjectId }, signal?: AbortSignal): Promise<FoundStanding>;
  /** Durable when it resolves. Writes nothing where there is no data of the project. */
  write(standing: Standing, signal?: AbortSignal): Promise<void>;
  /** Of every server or schema that has one. One that cannot be read MUST NOT hide the others. */
  list(signal?: AbortSignal): Promise<readonly ListedStanding[]>;
}

export interface ListedStanding {
  /** Names the server or schema, at the beginning of a sentence. */
  readonly place: string;
  readonly found: Exclude<FoundStanding, 'absent'>;
  /** Why it could not be read; absent for one that was read, and is not genuine. */
  readonly problem?: string;
}

/** How long a start waits for what the projects of one engine are. */
const LIST_MS = 5000;

/**
 * Lists the standings of one engine, for a start, which a server that hangs must not hold up.
 *
 * @throws FluxError `instance_unavailable` when they are not there in time
 */
export async function listInTime(support: StandingSupport): Promise<readonly ListedStanding[]> {
  using deadline = deadlineAfter(LIST_MS);
  const list = support.list(deadline.signal);
  if (await isDoneWithin(list, LIST_MS)) return await list;
  // What goes on ends by itself; nobody waits for it.
  list.catch(() => undefined);
  throw new FluxError('instance_unavailable', `It did not answer within ${LIST_MS / 1000} seconds.`);
}

/**
 * Refuses to remove data that says of itself that it is live: its removal was never cleared, so whoever asks believes an old catalog.
 *
 * @throws FluxError `catalog_outdated`
 */
export function requireNotLive(found: FoundStanding, slug: string, place: string): void {
  if (found === 'absent' || (found !== 'unreadable' && found.standing !== 'live')) return;
  const why =
    found === 'unreadable'
      ? 'what it says of itself cannot be read'
      : `it says that it is live since ${found.at}, and its removal was never cleared`;
  throw new FluxError('catalog_outdated', `${place} of ${slug} was not removed: ${why}.`, {
    hint:
      found === 'unreadable'
        ? 'Start Flux again: it says what it could not read, and writes it anew where the catalog says that the project is live.'
        : 'If the catalog was restored from an older copy, stop Flux and run `flux-server reconcile --dry-run`.',
  });
}
