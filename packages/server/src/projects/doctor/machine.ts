import type { Finding } from '@flux/contract/doctor';
import type { QuotaLimits } from '@flux/contract/quota';
import type { DisposableProvider, SandboxKind } from '../../disposable/provider.ts';
import type { InstanceRuntime } from '../../instances/instance.ts';
import type { PostgresToolbox } from '../../postgres/target.ts';
import type { ExpiryClock } from '../../system/expiry-clock.ts';
import { freeBytesOf } from '../../system/free-space.ts';
import type { Troubles } from '../../system/troubles.ts';

const MIN_FREE_BYTES = 2 * 2 ** 30;

/** The machine that the control plane runs on, as far as a restore depends on it. */
export interface Machine {
  /** The sandbox that verifications run in; null when none works here. */
  readonly disposables: Pick<DisposableProvider, 'sandbox'>;
  /** What a project may use of it, unless it has limits of its own. */
  readonly quotas: QuotaLimits;
  readonly clock: Pick<ExpiryClock, 'now' | 'distrustedMs' | 'behindMs'>;
  /** What keeps instances apart. */
  readonly wall: Wall;
  /** The Postgres instances of this host, those that cannot be read among them. */
  readonly instances: Pick<InstanceRuntime, 'list'>;
  readonly troubles: Pick<Troubles, 'list'>;
  /** Finds the majors whose server and client programs are here. */
  readonly toolbox: Pick<PostgresToolbox, 'majors'>;
  /** It is created with the first backup. */
  readonly backupsFolder: string;
  readonly dataFolder: string;
  /** What the start could not compare the catalog with, or found and did not adopt; a sentence each. */
  readonly notCompared: readonly string[];
}

/** What keeps instances apart; `problem` says why there is nothing although it was wanted. */
interface Wall {
  readonly kind: SandboxKind;
  readonly problem: string | undefined;
  /** Names of running instances that have none yet. */
  unwalled(): Promise<readonly string[]>;
}

/**
 * Whether an answer names things of the whole host, such as instances and paths. A token that is limited to some projects learns only how
 * many there are: the names of instances are made of the ids of projects.
 */
export type HostNames = 'named' | 'counted';

/** How verifications are kept from the host. */
export function sandboxFinding(sandbox: SandboxKind | null): Finding {
  if (sandbox === null)
    return {
      severity: 'danger',
      what: 'sandbox',
      found: 'No sandbox works here, so verifications are refused.',
      command: 'apt-get install bubblewrap',
    };
  if (sandbox === 'off') {
    return {
      severity: 'danger',
      what: 'sandbox',
      found: 'Verifications run without one (FLUX_VERIFY_SANDBOX=off): a hostile dump can do whatever the Postgres account can.',
      command: null,
    };
  }
  return { severity: 'fine', what: 'sandbox', found: `Verifications restore under ${sandbox}.`, command: null };
}

/** Whether instances are kept apart. */
export async function wallFinding({ kind, problem, unwalled }: Wall, names: HostNames): Promise<Finding> {
  const what = 'wall between instances';
  if (kind === 'off') {
    const why = problem === undefined ? ' (FLUX_INSTANCE_WALL=off)' : `: none works on this host (${problem})`;
    return {
      severity: 'warning',
      what,
      found: `Instances run without one${why}. A superuser of one can read the data of the others, and what the Postgres account can.`,
      command: problem === undefined ? null : 'apt-get install bubblewrap util-linux',
    };
  }
  const open = await unwalled();
  if (open.length === 0) return { severity: 'fine', what, found: `Instances run behind ${kind}.`, command: null };
  return {
    severity: 'warning',
    what,
    found: `Started before there was one, and without it until their next start: ${names === 'named' ? open.join(', ') : `${open.length} of the instances`}.`,
    command: null,
  };
}

/** Instances whose folders cannot be read, and upkeep that could not be done. */
export async function damageFindings({ instances, troubles, notCompared }: Machine, names: HostNames): Promise<Finding[]> {
  const damaged = (await instances.list()).filter(
    ({ state, problem }) => problem !== null && (state === 'corrupted' || state === 'missing'),
  );
  const open = troubles.list();
  if (names === 'counted') {
    const count = damaged.length + open.length + notCompared.length;
    const found = `${count} things of this host are damaged or could not be tidied up. A token that is not limited to some projects is told which.`;
    return count === 0 ? [] : [{ severity: 'warning', what: 'damage', found, command: null }];
  }
  return [
    ...damaged.map(
      ({ id, problem }): Finding => ({
        severity: 'danger',
        what: `Postgres instance ${id}`,
        found: `${problem?.replace(/\.$/, '')}. It is neither started nor removed. Put the file back from a copy of the data folder, or move the folder of the instance away, and restart the control plane.`,
        command: null,
      }),
    ),
    ...open.map(
      ({ what, why }): Finding => ({
        severity: 'warning',
        what: 'upkeep',
        found: `There was an error while ${what}: ${why}. Nothing else waits for it. Repair or remove what it names; it is tried again at the latest after a restart of the control plane.`,
        command: null,
      }),
    ),
  ];
}

/** Which majors of Postgres this host has. */
export function majorsFinding(majors: readonly number[]): Finding {
  if (majors.length === 0)
    return {
      severity: 'danger',
      what: 'Postgres programs',
      found: 'No major has both its server and its client programs here.',
      command: 'apt-get install postgresql-15',
    };
  return { severity: 'fine', what: 'Postgres programs', found: `PostgreSQL ${majors.join(', ')}.`, command: null };
}

/** Space for backups and data. */
export async function freeSpaceFindings({ backupsFolder, dataFolder }: Machine): Promise<Finding[]> {
  const data = await freeBytesOf(dataFolder);
  // A folder that is not there yet will be created in the data folder's file system.
  const backups = await freeBytesOf(backupsFolder).catch(() => data);
  const places = [
    ['backup volume', backups],
    ['data folder', data],
  ] as const;
  return places.map(([what, bytes]) => {
    const gib = `${(bytes / 2 ** 30).toFixed(1)} GiB free.`;
    return bytes < MIN_FREE_BYTES
      ? { severity: 'warning', what, found: `Only ${gib}`, command: null }
      : { severity: 'fine', what, found: gib, command: null };
  });
}
