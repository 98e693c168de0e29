import { accessSync, chmodSync, constants, mkdtempSync, readFileSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { readTier } from '../../scripts/tiers.ts';
import { makeInstallation } from './installation.ts';

/** A file system in memory that every Linux has (shm_overview(7)). */
const MEMORY = '/dev/shm';
/** What two workers come to need, and as much again for what runs beside them. */
const NEEDED_BYTES = 6 * 2 ** 30;

/**
 * Prepares what all test files of a run share, and removes it at the end; vitest runs this before the tests, whose processes inherit
 * the environment.
 *
 * - `FLUX_POSTGRES_BIN_DIRS`, and `FLUX_TEST_PG_BIN` for clusters without Flux: an installation whose `initdb` is quick, unless the run has been told which Postgres to test.
 * - `NODE_COMPILE_CACHE`: for the thousand programs that a run starts.
 * - `TMPDIR`: temporary folders in memory, for the quick tier only (the full one makes large databases, and cuts the power),
 *   unless the run has been told where they go.
 */
export default function prepare(): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'flux-run-'));
  chmodSync(folder, 0o755);
  if (process.env.FLUX_POSTGRES_BIN_DIRS === undefined) {
    const bins = makeInstallation(folder);
    if (bins.length > 0) process.env.FLUX_POSTGRES_BIN_DIRS = bins.join(':');
    const of15 = bins.find((bin) => basename(dirname(bin)) === '15');
    if (of15 !== undefined) process.env.FLUX_TEST_PG_BIN ??= of15;
  }
  process.env.NODE_COMPILE_CACHE ??= join(folder, 'compiled');
  if (process.env.TMPDIR === undefined && readTier() === 'quick' && hasRoomInMemory()) process.env.TMPDIR = MEMORY;
  const remove = () => rmSync(folder, { recursive: true, force: true });
  // Workers write their part of the compile cache when they end, which may be after the tests have been torn down.
  process.once('exit', remove);
  return remove;
}

function hasRoomInMemory(): boolean {
  try {
    accessSync(MEMORY, constants.W_OK | constants.X_OK);
    const { bavail, bsize } = statfsSync(MEMORY);
    const available = Number(/^MemAvailable:\s+(\d+) kB/m.exec(readFileSync('/proc/meminfo', 'latin1'))?.[1] ?? 0) * 1024;
    return Math.min(bavail * bsize, available) >= NEEDED_BYTES;
  } catch {
    return false;
  }
}
