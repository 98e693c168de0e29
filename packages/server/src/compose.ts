import { createServer } from 'node:net';
import { join } from 'node:path';
import { FluxError } from '@flux/contract/errors';
import { ensureFirstToken } from './access/bootstrap.ts';
import { buildApp } from './api/app.ts';
import { createVolumeStore } from './blobs/volume.ts';
import { createWorkspace } from './blobs/workspace.ts';
import { readOnlyError } from './catalog/version.ts';
import { emptyScratchFolder } from './compose/data-folder.ts';
import { composeGround, type Ground } from './compose/ground.ts';
import { recordInstallation, requireOwnInstallation, requireOwnKeyAndVolume } from './compose/installation.ts';
import { composeOperations } from './compose/operations.ts';
import { createReadOnlyParts } from './compose/read-only.ts';
import { recover } from './compose/recover.ts';
import type { Config } from './config.ts';
import { watchPool } from './engines/shared/guard.ts';
import { keepLease, type Lease } from './operations/lease.ts';
import { openPostgresPrograms } from './postgres/programs.ts';
import { systemClock } from './system/clock.ts';
import type { Log } from './system/log.ts';
import { createMetrics } from './system/metrics.ts';
import { Releasers } from './system/releasers.ts';
import { Troubles } from './system/troubles.ts';
import { VERSION } from './version.ts';
import { type JobQueue, openQueue } from './worker/queue.ts';
import { startWorker } from './worker/worker.ts';

/** A control plane that runs. */
export interface ControlPlane {
  /** Where it listens: `http://host:port`. */
  readonly url: string;
  /** Set when this start created the first admin token. */
  readonly firstTokenPath: string | undefined;
  /** Aborted, with a FluxError, when it cannot go on; then `stop` is due, and another start. */
  readonly failed: AbortSignal;
  /**
   * Ends requests, work, instances and connections, in that order. After a failure the instances go on: they serve others, and
   * the next start finds them.
   */
  stop(): Promise<void>;
  /** What a `stop` that has begun waits for. */
  waitsFor(): string | undefined;
}

/**
 * Constructs everything and starts it, each part after those that it uses; `stop` releases them in the reverse order. A start that
 * fails releases what it had.
 *
 * @param until `migrate` ends when the catalog's tables are up to date
 */
export async function startControlPlane(config: Config, log: Log, until: 'all' | 'migrate'): Promise<ControlPlane> {
  const releasers = new Releasers((name, error) => log.error({ err: error }, `could not release ${name}`));
  try {
    return await build(config, log, until, releasers);
  } catch (error) {
    await releasers.release();
    throw error;
  }
}

async function build(config: Config, log: Log, until: 'all' | 'migrate', releasers: Releasers): Promise<ControlPlane> {
  const clock = systemClock;
  const url = `http://${config.listen.host.includes(':') ? `[${config.listen.host}]` : config.listen.host}:${config.listen.port}`;
  let failed = new AbortController().signal;
  const ending = { stop: () => releasers.release(), waitsFor: () => releasers.current };
  const ground = await composeGround({
    config,
    clock,
    log,
    releasers,
    whenLocked: async () => until === 'all' && requireFreePort(config),
    check: until === 'all' ? requireOwnInstallation : requireOwnKeyAndVolume,
    onStop: () => (failed.aborted ? 'keep' : config.onStop),
  });
  const { runtime, catalog, cluster, engines, expiryClock, foreign, seal, disposables, wall, toolbox, account } = ground;
  if (until === 'migrate') return { url, firstTokenPath: undefined, failed, ...ending };

  const isReadOnly = catalog.mode === 'read-only';
  const { lease, queue } = isReadOnly ? createReadOnlyParts() : await takeUpWork(ground, config, log);
  failed = lease.givenUp;
  releasers.add('the lease', () => lease.close());
  const stopping = new AbortController();
  const pool = isReadOnly ? { admin: () => cluster.admin() } : cluster;
  const guard = await watchPool({ cluster: pool, bounds: { ...config.pool, ownerMs: config.backupTimeoutMs }, log });
  releasers.add('the guard of the pool', () => guard.stop());
  const workerId = () => lease.held().workerId;
  const store = createVolumeStore({ root: config.backupsFolder, workerId });
  const workspace = createWorkspace({ folder: join(config.backupsFolder, '.workspace'), workerId });
  const programs = openPostgresPrograms(toolbox, {
    account,
    memoryBytes: config.dumpMemoryBytes,
    scratchFolder: await emptyScratchFolder(config.dataFolder),
  });
  // Every use case takes its own part of these.
  const parts = {
    catalog,
    store,
    queue,
    lease,
    engines,
    programs,
    toolbox,
    sandbox: {
      disposables,
      workspace,
      limits: {
        memoryBytes: config.verify.memoryBytes,
        diskBytes: config.verify.diskBytes,
        processes: config.verify.processes,
        minTimeMs: config.verify.minTimeMs,
        maxTimeMs: config.verify.timeoutMs,
      },
      restoreTimes: config.restoreTimes,
    },
    dumps: { programs, timeoutMs: config.backupTimeoutMs },
    destinations: { seal, foreign },
    seal,
    signing: { seal, fluxVersion: VERSION },
    operations: { catalog, clock, log, lease, queue, stopping: stopping.signal },
    defaultMode: config.defaultMode,
    quotas: config.quotas,
    pushTimeoutMs: config.pushTimeoutMs,
    undoKeepMs: config.undoKeepMs,
    trashKeepMs: config.trashKeepMs,
    runtime,
    expiryClock,
    allowedExtensions: config.allowedExtensions,
    downloadAccess: config.downloadAccess,
    restoreAsSuperuser: config.restoreAsSuperuser,
    troubles: new Troubles(log),
    clock: { now: clock.now, latest: () => expiryClock.latest() },
    log,
  };

  const kinds = composeOperations(parts);
  if (isReadOnly) log.warn(readOnlyError().message);
  const notCompared = isReadOnly ? [] : await recover(parts, kinds);
  const likelyMajor = config.postgresMajor ?? toolbox.majors().at(-1);
  if (config.verify.standby === 'on' && likelyMajor !== undefined) {
    const { minTimeMs: _, maxTimeMs: wallClockMs, ...limits } = parts.sandbox.limits;
    disposables.keepReady?.(likelyMajor, { ...limits, wallClockMs });
  }
  const tokenPath = join(config.dataFolder, 'admin-token');
  const isNewToken = !isReadOnly && (await ensureFirstToken(catalog, clock, tokenPath));

  const metrics = createMetrics();
  const { backupsFolder, dataFolder } = config;
  const { quotas, troubles } = parts;
  const machine = {
    clock: expiryClock,
    quotas,
    disposables,
    wall,
    instances: runtime,
    troubles,
    toolbox,
    backupsFolder,
    dataFolder,
    notCompared,
  };
  const { answerChecks, http } = config;
  const served = {
    ...parts,
    catalog: catalog.forRequests(),
    machine,
    metrics,
    kinds,
    publicUrl: url,
    version: VERSION,
    stopping: stopping.signal,
    limits: { ...http, answerChecks },
    metricsFor: http.metrics,
  };
  const app = buildApp({ http: served, health: served, account: served, projects: served, backups: served, operations: served });
  // Until work has let go, the API says that it stops, and answers those who wait for what was interrupted.
  releasers.add('the HTTP server', () => app.close());
  releasers.add('work of requests', () => lease.settled(LETTING_GO_MS));
  const { concurrency } = config;
  if (!isReadOnly)
    releasers.add('the worker', await startWorker({ queue, kinds, operations: parts.operations, upkeep: parts, metrics, concurrency }));
  releasers.add('what is under way', () => stopping.abort(stopped()));
  await app.listen(config.listen).catch((error) => {
    throw listenError(config, error);
  });
  return { url, firstTokenPath: isNewToken ? tokenPath : undefined, failed, ...ending };
}

/** What only a server does that may change the catalog. @throws FluxError `config_invalid` when it belongs to another installation */
async function takeUpWork(ground: Ground, config: Config, log: Log): Promise<{ readonly lease: Lease; readonly queue: JobQueue }> {
  const { catalog, key, home } = ground;
  await recordInstallation({ config, catalog, key, home }, log);
  const lease = await keepLease(catalog, log, home);
  return { lease, queue: await openQueue(catalog, log) };
}

/** For how long a stop waits for work that runs in a request, such as the creation of a project. */
const LETTING_GO_MS = 20_000;

function stopped(): FluxError {
  return new FluxError('interrupted', 'The control plane was stopped while this was running.', { hint: 'Run the command again.' });
}

/** Finds out before anything is started whether the address can be had. */
async function requireFreePort(config: Config): Promise<void> {
  const probe = createServer();
  await new Promise<void>((resolve, reject) => {
    probe.once('error', (error) => reject(listenError(config, error)));
    probe.listen(config.listen, () => probe.close(() => resolve()));
  });
}

function listenError(config: Config, error: unknown): unknown {
  const { code } = error as NodeJS.ErrnoException;
  const address = `${config.listen.host}:${config.listen.port}`;
  if (code === 'EADDRINUSE') {
    return new FluxError('port_taken', `Another program listens on ${address}.`, {
      hint: 'Stop it, or choose another address with FLUX_LISTEN=127.0.0.1:4401.',
      cause: error,
    });
  }
  if (code === 'EADDRNOTAVAIL' || code === 'EACCES' || code === 'ENOTFOUND') {
    return new FluxError('port_taken', `Flux cannot listen on ${address}: ${(error as Error).message}`, {
      hint: 'Choose another address with FLUX_LISTEN.',
      cause: error,
    });
  }
  return error;
}
