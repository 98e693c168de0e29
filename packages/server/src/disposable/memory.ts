import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { FluxError } from '@flux/contract/errors';
import { freeBytesOf } from '../system/free-space.ts';
import type { DisposableLimits, DisposableRequest } from './provider.ts';

/** Factor beyond the expected size: indexes, sorting, the dead rows of a restore. */
const GROWTH = 2.5;
const MARGIN_BYTES = 128 * 1024 * 1024;
/** At most this share of the free memory is used for one data folder in memory... */
const FREE_SHARE = 0.4;
/** ...and this share of the memory limit, since the processes need memory too. */
const BOUND_SHARE = 0.75;

/**
 * Decides where the data folder is stored: in memory, with the returned number of bytes reserved, when there is certainly enough;
 * otherwise on disk (null).
 *
 * @param reservedBytes what other instances have reserved and may not have used yet
 * @throws FluxError `volume_full` when there is not enough disk space either
 */
export async function chooseMemoryBytes(
  request: Pick<DisposableRequest, 'expectedBytes' | 'limits'>,
  reservedBytes: number,
  root: string,
): Promise<number | null> {
  const needed = neededBytes(request.expectedBytes);
  const possible = await possibleMemoryBytes(request.limits, reservedBytes);
  if (needed <= possible) return possible;
  if ((await freeBytesOf(dirname(root))) < needed)
    throw new FluxError(
      'volume_full',
      `A restore needs about ${Math.ceil(needed / 2 ** 20)} MiB, and ${dirname(root)} does not have that much free space.`,
      {
        hint: 'Free space in the data folder, then verify again.',
      },
    );
  return null;
}

/** Bytes that a data folder may need. */
export function neededBytes(expectedBytes: number): number {
  return expectedBytes * GROWTH + MARGIN_BYTES;
}

/** Bytes that are available now for one data folder in memory. */
export async function possibleMemoryBytes({ memoryBytes, diskBytes }: DisposableLimits, reservedBytes: number): Promise<number> {
  const { availableBytes } = await hostMemory();
  return Math.floor(Math.min(diskBytes, memoryBytes * BOUND_SHARE, (availableBytes - reservedBytes) * FREE_SHARE));
}

/** Memory available to programs without swapping, and total memory of the host, in bytes. Source: proc(5), meminfo. */
export async function hostMemory(): Promise<{ readonly availableBytes: number; readonly totalBytes: number }> {
  const text = await readFile('/proc/meminfo', 'latin1');
  const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) * 1024;
  return { availableBytes: field('MemAvailable'), totalBytes: field('MemTotal') };
}
