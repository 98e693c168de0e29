import { createHash } from 'node:crypto';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { FluxError } from '@flux/contract/errors';
import { type ProcessResult, runProcess } from '../system/process.ts';
import { readFileInChunks } from './archive/byte-reader.ts';
import { type ArchiveEntry, readArchiveToc } from './archive/toc.ts';
import { connectPostgres } from './connect.ts';
import type { PostgresPrograms } from './programs.ts';
import { interpretRestore, type RestoreOutcome } from './restore.ts';
import { libpqOptions, type SessionSettings } from './session-settings.ts';
import { libpqEnvironment, type PostgresTarget } from './target.ts';

/** An archive to restore into a live database. */
export interface ArchiveRestore {
  /** The major of the server that it is restored into. */
  readonly major: number;
  readonly path: string;
  /** The expected size and digest; the bytes are hashed again while they are read. */
  readonly sha256: string;
  readonly target: PostgresTarget;
  /** Whether the grants in the archive are applied. */
  readonly grants: 'restored' | 'left out';
  /** `all or nothing` restores in one transaction. */
  readonly transaction: 'all or nothing' | 'statement by statement';
  /** lc_monetary of the dump, when there are amounts of money in the archive: as text they are read only with the same. */
  readonly moneyLocale?: string | null | undefined;
  /** Entries of the table of contents that are left out. */
  omits(entry: ArchiveEntry): boolean;
  /** `stop` is the default. */
  readonly afterError?: 'stop' | 'go on' | undefined;
  readonly onBytes?: ((total: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Restores an archive as an ordinary role. pg_restore runs as the unprivileged account, receives the bytes on stdin instead of a file, and
 * makes the role that it connects as the owner of everything.
 *
 * @returns how pg_restore ended; its failure is a value
 * @throws FluxError `artifact_invalid` when the bytes are not the expected ones; `artifact_gone`, `volume_unusable`, `postgres_missing`
 */
export async function restoreArchive(programs: PostgresPrograms, request: ArchiveRestore): Promise<RestoreOutcome> {
  const { entries } = await readArchiveToc(request.path, request.signal);
  const folder = await mkdtemp(join(programs.scratchFolder, 'restore-'));
  try {
    // The list contains only numbers, and the other account must be able to read it.
    await chmod(folder, 0o711);
    const list = join(folder, 'list');
    const wanted = entries.filter((entry) => !request.omits(entry));
    await writeFile(list, wanted.map(({ dumpId }) => `${dumpId};\n`).join(''), { mode: 0o644 });
    await chmod(list, 0o644);
    return interpretRestore(await loadArchive(programs, request, list));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** What the target gives to every session must not decide how the archive is read; amounts of money are read as they were written. */
async function settingsFor({ target, moneyLocale, signal }: ArchiveRestore): Promise<SessionSettings> {
  await using session = await connectPostgres(target, { signal });
  return { ...session.given, ...(moneyLocale ? { lc_monetary: moneyLocale } : {}) };
}

async function loadArchive(
  { toolbox, account, memoryBytes }: PostgresPrograms,
  request: ArchiveRestore,
  list: string,
): Promise<ProcessResult> {
  const tools = toolbox.require(request.major, 'client');
  const program = tools.pgRestore;
  if (program === undefined)
    throw new FluxError('postgres_missing', `There is no pg_restore of major version ${request.major} on this host.`);
  const settings = await settingsFor(request);
  using _place = await request.target.places?.reserve(1, request.signal);
  const failed = new AbortController();
  const hash = createHash('sha256');
  // One open file: what is hashed is what pg_restore gets.
  async function* hashed(): AsyncGenerator<Buffer, undefined> {
    let total = 0;
    for await (const chunk of readFileInChunks(request.path, request.signal)) {
      hash.update(chunk);
      total += chunk.length;
      request.onBytes?.(total);
      yield chunk;
    }
  }
  const pieces = hashed();
  const bytes = Readable.from(pieces, { objectMode: false });
  bytes.once('error', (error) => failed.abort(error));
  try {
    const ended = await (tools.run ?? runProcess)(program, restoreOptions(request, list), {
      env: { ...libpqEnvironment(request.target), ...libpqOptions(settings, request.target.options), LC_ALL: 'C.UTF-8' },
      account,
      memoryBytes,
      input: bytes,
      signal: request.signal === undefined ? failed.signal : AbortSignal.any([request.signal, failed.signal]),
    });
    if (failed.signal.aborted) throw failed.signal.reason;
    // pg_restore needs no byte behind the last entry that it restores.
    for await (const _ of pieces);
    if (hash.digest('hex') !== request.sha256)
      throw new FluxError('artifact_invalid', 'The bytes of the artifact changed while they were being restored.', {
        hint: 'Check the disk of the backup volume, and verify the backup again.',
      });
    return ended;
  } finally {
    bytes.destroy();
  }
}

function restoreOptions({ target, grants, transaction, afterError }: ArchiveRestore, list: string): string[] {
  // A bare name with an equals sign in it would be read as a whole connection string.
  const database = `dbname='${target.database.replaceAll(/['\\]/g, '\\$&')}'`;
  return [
    `--dbname=${database}`,
    ...(afterError === 'go on' ? [] : ['--exit-on-error']),
    '--no-password',
    '--no-tablespaces',
    '--no-owner',
    `--use-list=${list}`,
    ...(grants === 'left out' ? ['--no-acl'] : []),
    ...(transaction === 'all or nothing' ? ['--single-transaction'] : []),
  ];
}
