import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Flux, TestProject } from './flux.ts';

/** The part of a manifest that two backups of equal data have in common. */
export interface ManifestContent {
  readonly tables: readonly { readonly name: string; readonly rows: number; readonly digest: string | null }[];
  readonly objects: readonly { readonly kind: string; readonly name: string; readonly definition: string }[];
  readonly sequences: readonly { readonly name: string; readonly lastValue: string; readonly isCalled: boolean }[];
}

/** Creates a backup and returns its id. Throws when that fails. */
export async function backUp(flux: Flux, project: Pick<TestProject, 'flags'>, ...more: string[]): Promise<string> {
  const made = await flux.flux('backup', 'create', ...project.flags, ...more, '--json');
  if (made.exitCode !== 0) throw new Error(`backup create ended with ${made.exitCode}\n${made.stderr}`);
  return (JSON.parse(made.stdout) as { backup: { id: string } }).backup.id;
}

/** Path of the artifact of a backup. */
export async function artifactOf(flux: Flux, project: Pick<TestProject, 'hash'>, id: string): Promise<string> {
  const answer = await flux.api(`/projects/${project.hash}/backups/${id}`);
  const { backup } = (await answer.json()) as { backup: { primaryArtifactRelativePath: string } };
  return join(flux.dataFolder, 'backups', backup.primaryArtifactRelativePath);
}

/** The data in a backup's manifest, without the time, the host and what is internal to Postgres. */
export async function manifestOf(flux: Flux, project: Pick<TestProject, 'hash'>, id: string): Promise<ManifestContent> {
  const path = (await artifactOf(flux, project, id)).replace(/\.dump$/, '.manifest.json');
  const { tables, objects, sequences } = JSON.parse(readFileSync(path, 'utf8')) as ManifestContent;
  return {
    tables,
    objects: objects.map(withoutOwnOptions),
    sequences: sequences.map(({ name, lastValue, isCalled }) => ({ name, lastValue, isCalled })),
  };
}

/** Since 15.20 and 17.12 each column has an option `pg_attver`, which differs in every database and is in no dump. */
function withoutOwnOptions(object: ManifestContent['objects'][number]): ManifestContent['objects'][number] {
  if (object.kind !== 'column') return object;
  const { options = [], ...rest } = JSON.parse(object.definition) as { options?: readonly string[] };
  const kept = options.filter((option) => !option.startsWith('pg_attver='));
  return { ...object, definition: JSON.stringify(kept.length === 0 ? rest : { ...rest, options: kept }) };
}
