import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Flux, TestProject } from '../../harness/flux.ts';
import { psql } from '../../harness/postgres.ts';
import { catalogUri } from '../../harness/superuser.ts';
import { findCommonLitter } from '../../power/litter.ts';
import type { Told } from './told.ts';

interface StoredRow {
  readonly key: string;
  readonly size: string;
  readonly sha256: string;
  readonly manifestSha256: string;
  readonly label: string;
  readonly verified: string;
}

/** Everything that is not as Flux says that it is, each in a sentence. */
export async function findLies(flux: Flux, projects: readonly TestProject[], told: Told): Promise<readonly string[]> {
  const catalog = async (sql: string) => (await psql(catalogUri(flux), sql)).split('\n').filter((line) => line !== '');
  const lies: string[] = [...told.lies];
  const rows = (
    await catalog(`select c.key, b.size_bytes, b.sha256, b.manifest_sha256, b.restore_verification, coalesce(b.verified_sha256, '')
      from backups b join copies c on c.backup_id = b.id where b.status = 'complete' and b.removed_at is null and c.state <> 'removed'`)
  ).map((line): StoredRow => {
    const [key = '', size = '', sha256 = '', manifestSha256 = '', label = '', verified = ''] = line.split('|');
    return { key, size, sha256, manifestSha256, label, verified };
  });
  for (const row of rows) lies.push(...liesAbout(flux, row));
  const count = async (what: string, sql: string) => {
    const [found = '0'] = await catalog(sql);
    if (found !== '0') lies.push(`${found} ${what}`);
  };
  await count('operations are unfinished', `select count(*) from operations where state in ('queued', 'running')`);
  await count('backups are unfinished', `select count(*) from backups where status in ('queued', 'running')`);
  await count(
    'projects are unfinished',
    `select count(*) from projects where lifecycle in ('creating', 'removing') or migration_state in ('copying', 'dropping_source')`,
  );
  await count(
    'good backups were condemned',
    `select count(*) from backups where restore_verification = 'restore_failed' or artifact_validation = 'artifact_invalid'`,
  );
  await count('verdicts have no receipt', 'select count(*) from verifications where id not in (select verification_id from receipts)');
  const imported = new Map((await catalog(`select id, status, removed_at is not null, restore_verification from backups`)).map(splitId));
  for (const [id, last] of told.imports) {
    const found = imported.get(id) ?? 'nothing';
    if (!IMPORT_ROWS[last].test(found)) lies.push(`import ${id} was ${last}, and is ${found}`);
  }
  for (const { slug, flags, uri } of projects) {
    const doctor = await flux.flux('doctor', ...flags);
    if (/receipt/i.test(doctor.stdout)) lies.push(`the chain of ${slug}: ${doctor.stdout}`);
    lies.push(
      ...(await lostOf(uri, 'pushed', told.pushes.get(slug) ?? [])).map((n) => `push ${n} of ${slug} was acknowledged and is lost`),
    );
    lies.push(
      ...(await lostOf(uri, 'written', told.writes.get(slug) ?? [])).map((n) => `row ${n} of ${slug} was acknowledged and is lost`),
    );
  }
  return [...lies, ...(await findCommonLitter(flux)).filter((litter) => !litter.startsWith('disposable instance'))];
}

/** What the row of an imported backup says after what was acknowledged last: its status, whether it is removed, and its label. */
const IMPORT_ROWS = {
  imported: /^complete\|f\|/,
  verified: /^complete\|f\|restore_verified$/,
  deleted: /^complete\|t\|/,
  unknown: /^complete\|/,
} as const;

function splitId(line: string): [string, string] {
  const at = line.indexOf('|');
  return [line.slice(0, at), line.slice(at + 1)];
}

function liesAbout(flux: Flux, { key, size, sha256, manifestSha256, label, verified }: StoredRow): readonly string[] {
  const path = join(flux.dataFolder, 'backups', key);
  if (!existsSync(path)) return [`${key} is complete and not there`];
  const digest = (file: string) => createHash('sha256').update(readFileSync(file)).digest('hex');
  const lies: string[] = [];
  if (String(statSync(path).size) !== size) lies.push(`${key} has another size`);
  if (digest(path) !== sha256) lies.push(`${key} has another SHA-256`);
  if ((statSync(path).mode & 0o777) !== 0o600) lies.push(`${key} can be read by others`);
  if (digest(path.replace(/\.dump$/, '.manifest.json')) !== manifestSha256) lies.push(`the manifest of ${key} is another one`);
  if (label === 'restore_verified' && verified !== sha256) lies.push(`${key} is called verified for other bytes`);
  return lies;
}

async function lostOf(uri: string, table: string, acknowledged: readonly number[]): Promise<readonly number[]> {
  if (acknowledged.length === 0) return [];
  const there = new Set((await psql(uri, `select n from ${table}`)).split('\n').map(Number));
  return acknowledged.filter((n) => !there.has(n));
}
