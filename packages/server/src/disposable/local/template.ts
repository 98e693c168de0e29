import { randomUUID } from 'node:crypto';
import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FluxError } from '@flux/contract/errors';
import { makeAccountFolder, makeOpenFolder, volumeError } from '../../instances/folders.ts';
import { runInitdb } from '../../instances/local/cluster.ts';
import type { PostgresTools } from '../../postgres/target.ts';
import { TEMPORARY_PREFIX } from '../../system/atomic-file.ts';
import { type Account, isProcessAlive, runProcess } from '../../system/process.ts';
import { RESTORE_DATABASE } from '../restore-database.ts';

/** A data folder that disposable instances are copied from. */
export interface Template {
  /** Owned by the account; never started, only copied. */
  readonly folder: string;
  /** Locale of the databases in it. */
  readonly locale: string;
  readonly sizeBytes: number;
}

/** Increased when the content of templates changes. */
const LAYOUT = 1;

/** Approximate size of a template: three databases of 7.5 MB and two small WAL files. */
const TEMPLATE_BYTES = 32 * 1024 * 1024;

export interface TemplateOptions {
  /** Folder of all templates. */
  readonly parent: string;
  readonly tools: PostgresTools;
  readonly account: Account | undefined;
}

/**
 * Finds the template of a Postgres version, or creates it (about a second, once per version).
 *
 * It has no password: a copy of it runs only with its socket in a private folder.
 *
 * @throws FluxError `volume_full`, `volume_unusable`, `instance_unavailable`
 */
export async function prepareTemplate({ parent, tools, account }: TemplateOptions): Promise<Template> {
  const final = join(parent, `${tools.major}-${tools.version}-${LAYOUT}`);
  const found = await readTemplate(final);
  if (found !== undefined) return found;
  const temporary = join(parent, `${TEMPORARY_PREFIX}${process.pid}-${randomUUID()}`);
  try {
    await makeOpenFolder(parent);
    await makeOpenFolder(temporary);
    const data = join(temporary, 'data');
    await makeAccountFolder(data, account);
    // Small WAL files: with the default size, the two of a new cluster would be most of what has to be copied.
    await runInitdb(tools, data, ['--auth=trust', '--no-sync', '--wal-segsize=1'], account, undefined);
    await shape(tools, data, account);
    await writeFile(join(temporary, 'locale'), await localeOf(data), { mode: 0o644 });
    // Another worker may have created it in the meantime; that one is equivalent.
    await rename(temporary, final).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
  } catch (error) {
    throw volumeError(error, 'while a template for disposable instances was being created');
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
  const made = await readTemplate(final);
  if (made !== undefined) return made;
  throw new FluxError('volume_unusable', `The template for disposable instances, ${final}, cannot be read.`);
}

/** Removes the incomplete templates of a killed control plane. */
export async function sweepTemplates(parent: string): Promise<void> {
  for (const name of await readdir(parent).catch(() => [])) {
    const pid = name.startsWith(TEMPORARY_PREFIX) ? Number(name.slice(TEMPORARY_PREFIX.length).split('-')[0]) : undefined;
    if (pid !== undefined && !isProcessAlive(pid)) await rm(join(parent, name), { recursive: true, force: true });
  }
}

async function readTemplate(folder: string): Promise<Template | undefined> {
  const locale = await readFile(join(folder, 'locale'), 'utf8').catch(() => undefined);
  return locale === undefined ? undefined : { folder: join(folder, 'data'), locale, sizeBytes: TEMPLATE_BYTES };
}

/** Replaces the database `postgres` with the restore database, without a server: single-user mode takes one statement per line. */
async function shape(tools: PostgresTools, data: string, account: Account | undefined): Promise<void> {
  const statements = ['drop database postgres', `create database ${RESTORE_DATABASE} template template0`];
  const result = await runProcess(tools.postgres as string, ['--single', '-j', '-F', '-D', data, 'template1'], {
    account,
    input: `${statements.join(';\n\n')};\n\n`,
  });
  // Its exit status is 0 even when a statement failed; its messages are in English, because its environment sets the locale.
  if (result.exitCode !== 0 || /ERROR|FATAL/.test(result.stderr + result.stdout))
    throw new FluxError('instance_unavailable', `A template for disposable instances could not be created: ${result.stderr.trim()}`);
}

/** The locale that initdb chose, from the configuration that it wrote. */
async function localeOf(data: string): Promise<string> {
  const config = await readFile(join(data, 'postgresql.conf'), 'utf8');
  return /^lc_time = '([^']*)'/m.exec(config)?.[1] ?? 'C';
}
