import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { writeFileAtomically } from '../system/atomic-file.ts';
import type { InstanceSpec } from './instance.ts';

/** The record of an instance. It is stored next to its data, so that it can be read before the catalog runs. */
export interface InstanceRecord {
  readonly spec: InstanceSpec;
  readonly port: number | null;
  /** The state that the operator wants, as opposed to the actual state. */
  readonly desired: 'running' | 'stopped';
  /** Users never see `making` and `removing`: the next `open` completes them. */
  readonly phase: 'making' | 'ready' | 'removing';
  readonly restarts: number;
  readonly lastRestartAt: Date | null;
}

const schema = z.object({
  spec: z.object({
    id: z.string(),
    major: z.int(),
    network: z.enum(['none', 'loopback']),
    settings: z.record(z.string(), z.string()).default({}),
  }),
  port: z.int().nullable(),
  desired: z.enum(['running', 'stopped']),
  phase: z.enum(['making', 'ready', 'removing']),
  restarts: z.int(),
  lastRestartAt: z.iso.datetime().nullable(),
});

/** Reads a record. @throws when it does not exist or cannot be parsed */
export async function readRecord(path: string): Promise<InstanceRecord> {
  const parsed = schema.parse(JSON.parse(await readFile(path, 'utf8')));
  return { ...parsed, lastRestartAt: parsed.lastRestartAt === null ? null : new Date(parsed.lastRestartAt) };
}

/** Writes a record atomically: a crash leaves the old one or the new one. */
export async function writeRecord(path: string, record: InstanceRecord): Promise<void> {
  await writeFileAtomically(path, `${JSON.stringify(record, null, 2)}\n`);
}

/** A password of 256 bits that needs no quoting anywhere: base64url. */
export function newSecret(): string {
  return randomBytes(32).toString('base64url');
}

/** Reads the superuser's password. @throws when it does not exist or is empty */
export async function readSecret(path: string): Promise<string> {
  const secret = (await readFile(path, 'utf8')).trim();
  if (secret === '') throw new Error(`${path} is empty`);
  return secret;
}
