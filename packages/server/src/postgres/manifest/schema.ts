import { FluxError } from '@flux/contract/errors';
import { z } from 'zod';
import type { Manifest } from '../manifest.ts';
import { hostNeedsSchema } from './host-needs.ts';
import { prerequisitesSchema } from './prerequisites/schema.ts';
import { selectionSchema } from './selection/data.ts';
import { upgradeVersion1 } from './version-1.ts';

const decimal = z.string().regex(/^-?\d+$/);
const sequencePosition = { lastValue: decimal, isCalled: z.boolean() };

const measured = {
  backupKind: z.enum(['project_db', 'tenant_export']),
  schema: z.string().nullable(),
  internalRoles: z.array(z.string()),
  takenAt: z.string(),
  server: z.strictObject({
    version: z.string(),
    major: z.int(),
    encoding: z.string(),
    collate: z.string(),
    ctype: z.string(),
    collationVersion: z.string().nullable(),
    database: z.string(),
    databaseBytes: z.number(),
    // Absent in manifests of older releases.
    localeProvider: z.enum(['libc', 'icu', 'builtin']).optional(),
    locale: z.string().nullable().optional(),
    icuRules: z.string().nullable().optional(),
    moneyLocale: z.string().nullable().optional(),
    needs: hostNeedsSchema.optional(),
  }),
  tables: z.array(
    z.strictObject({
      name: z.string(),
      kind: z.enum(['table', 'partition', 'materialized_view']),
      rows: z.number(),
      digest: decimal.nullable(),
      generatedDigest: decimal.nullable().optional(),
      digestOf: z.literal('copy').optional(),
      comparison: z.enum(['exact', 'recomputed', 'not_dumped']),
      reason: z.string().optional(),
      extension: z.string().optional(),
      root: z.string().optional(),
      readsOtherServers: z.literal(true).optional(),
      undumped: z.strictObject({ rows: z.number(), digest: decimal }).optional(),
    }),
  ),
  sequences: z.array(
    z.strictObject({
      name: z.string(),
      ...sequencePosition,
      increment: decimal,
      cycles: z.boolean(),
      after: z.strictObject(sequencePosition).optional(),
    }),
  ),
  largeObjects: z.strictObject({ count: z.number(), digest: decimal.nullable() }).nullable(),
  objects: z.array(z.strictObject({ kind: z.string(), name: z.string(), definition: z.string() })),
};

const version3: z.ZodType<Manifest> = z.strictObject({
  version: z.literal(3),
  madeFrom: z.literal('archive').optional(),
  ...measured,
  // Absent when the whole database is backed up.
  selection: selectionSchema.optional(),
  prerequisites: prerequisitesSchema,
  leftOut: z.array(z.strictObject({ kind: z.string(), name: z.string(), reason: z.string() })),
  // Absent in manifests of older releases.
  statements: z
    .array(z.strictObject({ kind: z.string(), schema: z.string().nullable(), digests: z.array(z.tuple([z.string(), z.string()])) }))
    .optional(),
});
const notes = z.array(z.string());
const version2 = z.strictObject({ version: z.literal(2), ...measured, prerequisites: prerequisitesSchema, notes });
const version1 = z.strictObject({
  version: z.literal(1),
  ...measured,
  notes,
  prerequisitesBefore: z.string(),
  prerequisitesAfter: z.string(),
});
const anyVersion = z.object({ version: z.int() });

/**
 * Parses a stored manifest. One of an earlier version is returned as version 3; its stored text does not change.
 *
 * @throws FluxError `verification_inconclusive`, which names the path of the invalid value: a manifest that cannot be read says nothing
 *   about its artifact
 */
export function parseManifest(text: string): Manifest {
  let stored: unknown;
  try {
    stored = JSON.parse(text);
  } catch (error) {
    throw unreadable('it is not JSON', error);
  }
  const { version } = read(anyVersion, stored);
  if (version > 3) throw unreadable(`it has version ${version}, and this Flux reads versions 1 to 3`);
  if (version === 3) return read(version3, stored);
  const earlier = version === 1 ? upgradeVersion1(read(version1, stored)) : read(version2, stored);
  const { notes: sentences, ...same } = earlier;
  return { ...same, version: 3, leftOut: sentences.map((reason) => ({ kind: 'note', name: '', reason })) };
}

function read<T>(schema: z.ZodType<T>, stored: unknown): T {
  const parsed = schema.safeParse(stored);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const path = issue === undefined || issue.path.length === 0 ? 'the manifest' : issue.path.map(String).join('.');
  throw unreadable(`${path}: ${issue?.message ?? 'invalid'}`, parsed.error);
}

function unreadable(why: string, cause?: unknown): FluxError {
  return new FluxError('verification_inconclusive', `The manifest of the backup cannot be read: ${why}.`, {
    hint: 'Create a new backup with `flux backup create`.',
    cause,
  });
}
