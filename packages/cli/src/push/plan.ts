import { findApplied, REPEATABLE_PREFIX } from '@flux/contract/applied';
import { FluxError } from '@flux/contract/errors';
import type { AppliedMigration } from '@flux/contract/project';
import type { SqlFile } from './files.ts';

/** What will happen to a file, and why. */
export interface PlannedFile {
  readonly file: SqlFile;
  readonly action: 'run' | 'skip';
  readonly reason: 'new' | 'raw' | 'changed' | 'forced' | 'already applied' | 'unchanged';
}

/**
 * Compares the files with the ledger. An applied file that was edited stops everything before anything runs: the
 * database then differs from what the folder says.
 *
 * @throws FluxError `migration_conflict`, naming every such file with both checksums
 */
export function planPush(files: readonly SqlFile[], applied: readonly AppliedMigration[], force: boolean): PlannedFile[] {
  const edited = files.flatMap((file) => {
    const row = file.mode === 'versioned' ? appliedRow(file, applied) : undefined;
    return row === undefined || hasContentOf(row, file) ? [] : [{ file, row }];
  });
  const [first] = edited;
  if (first !== undefined) {
    const lines = edited.map(
      ({ file, row }) => `${file.filename}: ${describeRow(file, row)} with checksum ${row.checksum}, now ${file.checksum}`,
    );
    throw new FluxError('migration_conflict', `${count(edited.length)} edited after being applied. Nothing was run.\n${lines.join('\n')}`, {
      hint: `Restore ${first.file.filename} as it was, and put the change into a new migration.${rawHint(files)}`,
      details: {
        conflicts: edited.map(({ file, row }) => ({
          filename: file.filename,
          version: file.version,
          applied: row.checksum,
          current: file.checksum,
        })),
      },
    });
  }
  return files.map((file) => plan(file, applied, force));
}

function plan(file: SqlFile, applied: readonly AppliedMigration[], force: boolean): PlannedFile {
  if (file.mode === 'raw') return { file, action: 'run', reason: 'raw' };
  const row = appliedRow(file, applied);
  if (row === undefined) return { file, action: 'run', reason: 'new' };
  if (file.mode === 'versioned') return { file, action: 'skip', reason: 'already applied' };
  if (force) return { file, action: 'run', reason: 'forced' };
  return hasContentOf(row, file) ? { file, action: 'skip', reason: 'unchanged' } : { file, action: 'run', reason: 'changed' };
}

/** The row of a file, also when its version is spelled in another way. */
function appliedRow(file: SqlFile, applied: readonly AppliedMigration[]): AppliedMigration | undefined {
  if (file.mode === 'versioned') return findApplied(file, applied);
  const row = applied.find(({ version }) => version === REPEATABLE_PREFIX + file.version);
  if (row !== undefined) return row;
  // Earlier releases recorded repeatable files by their base name.
  const former = `${REPEATABLE_PREFIX}${file.filename.replace(/\.sql$/i, '')}`;
  return applied.find((each) => each.version === former && each.filename === file.filename && hasContentOf(each, file));
}

function hasContentOf(row: AppliedMigration, file: SqlFile): boolean {
  return row.checksum === file.checksum || row.checksum === file.formerChecksum;
}

/** A single file may have been meant to run with each push. */
function rawHint(files: readonly SqlFile[]): string {
  return files.length === 1 ? ' To run it as it is, unrecorded: `--mode raw`.' : '';
}

function describeRow(file: SqlFile, row: AppliedMigration): string {
  return row.filename === file.filename ? 'applied' : `applied as ${row.filename}`;
}

function count(edited: number): string {
  return edited === 1 ? 'A migration was' : `${edited} migrations were`;
}
