import { displaySafe } from '@flux/contract/display';
import { FluxError } from '@flux/contract/errors';
import { BACKUP_OPTIONS, type BackupOptions, defineCommand, PROJECT_ARGUMENT, PROJECT_OPTIONS, type ProjectOptions } from '../command.ts';
import type { CallContext } from '../context.ts';
import { checkTarget, downloadToFile, partialOf, sizeOfPartial } from '../download/file.ts';
import type { ArtifactIdentity, FetchOptions } from '../download/source.ts';
import { downloadToStream } from '../download/stdout.ts';
import { interruptible, pause } from '../interrupt.ts';
import { createProgressMeter } from '../output/progress.ts';
import { formatBytes } from '../output/quantity.ts';
import { type ResolvedProject, resolveProject } from '../project/resolve.ts';
import { completeBackup, selectBackup } from './select.ts';

/** `flux backup download` */
export const command = defineCommand<ProjectOptions & BackupOptions & { output?: string }>({
  arguments: PROJECT_ARGUMENT,
  options: [...PROJECT_OPTIONS, ...BACKUP_OPTIONS, { flags: '-o, --output <path>', summary: 'file to write; `-` is standard output' }],
  examples: [
    'flux backup download --project bloom-atelier --hash 0a1b2c3 --latest -o ./bloom.dump',
    'flux backup download --latest > ./bloom.dump',
    'flux backup download --latest -o - | pg_restore --list',
  ],
  about: 'Writes <path>.partial, resumes it after an interruption, checks length and SHA-256, and only then renames it.',
  async run(context, { latest, id, output: path, ...options }, [slug]) {
    const { output } = context;
    const named = selectBackup({ latest, id }, 'download');
    const toStdout = path === '-' || path === undefined;
    if (path === '') throw new FluxError('usage', '-o has no path.', { hint: 'Use -o ./backup.dump.' });
    if (path === undefined && context.stdout.isTTY === true) {
      throw new FluxError('usage', 'A backup is binary and would garble the terminal. Nothing was downloaded.', {
        hint: `Use -o <path>, or redirect: flux backup download ${latest === true ? '--latest' : `--id ${id}`} > ./backup.dump`,
      });
    }
    if (toStdout && output.json)
      throw new FluxError('usage', '--json and the backup cannot both go to standard output.', { hint: 'Add -o <path>.' });
    const target = toStdout ? null : await checkTarget(path);
    const project = await resolveProject(context, options, slug);
    const backupId = await completeBackup(context, project, named);

    if (target === null) {
      const identity = await watched(context, project, backupId, null, 'Run it again.', (fetching) =>
        downloadToStream(context.stdout, fetching),
      );
      output.note(`${formatBytes(identity.sizeBytes)}, SHA-256 ${identity.sha256}: checked.`);
      return 0;
    }
    const known = (await sizeOfPartial(target)) > 0 ? await identifyArtifact(context, project, backupId) : null;
    const again = `${displaySafe(partialOf(target))} is kept; run the same command again to resume.`;
    const identity = await watched(context, project, backupId, known, again, (fetching) => downloadToFile(target, fetching));
    output.answer([displaySafe(`${path} · ${formatBytes(identity.sizeBytes)} · SHA-256 ${identity.sha256}, checked`)], {
      path: target,
      ...identity,
    });
    output.next(displaySafe(`pg_restore --list ${path}`), 'See what is in it:');
    return 0;
  },
});

/** The current digest and size of an artifact that is partly downloaded; null when the control plane cannot say. */
async function identifyArtifact(context: CallContext, project: ResolvedProject, backupId: string): Promise<ArtifactIdentity | null> {
  const { backup } = await context.client().call('showBackup', { params: { hash: project.hash, id: backupId } });
  const { checksumSha256: sha256, sizeBytes } = backup;
  return sha256 === null || sizeBytes === null ? null : { sha256: sha256.toLowerCase(), sizeBytes };
}

async function watched(
  context: CallContext,
  project: ResolvedProject,
  backupId: string,
  known: ArtifactIdentity | null,
  again: string,
  work: (options: FetchOptions) => Promise<ArtifactIdentity>,
): Promise<ArtifactIdentity> {
  const { status, note } = context.output;
  const meter = createProgressMeter();
  status.update(`Downloading ${backupId === 'latest' ? 'the latest backup' : `backup ${backupId}`} of ${project.slug}`, 'download');
  try {
    return await interruptible({ message: 'The download was stopped.', hint: again }, (signal) =>
      work({
        client: context.client(),
        hash: project.hash,
        backupId,
        known,
        signal,
        delay: (ms) => pause(ms, signal),
        onProgress: (done, total) =>
          status.update(
            meter.describe({ phase: 'download', message: 'Downloading', done, total, unit: 'bytes' }, performance.now()),
            'download',
          ),
        onRetry: (attempt, reason) => note(`The connection broke (${reason.replace(/\.$/, '')}); trying again, ${attempt}.`),
      }),
    );
  } finally {
    status.clear();
  }
}
