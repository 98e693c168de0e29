import { BACKUP_OPTIONS, type BackupOptions, defineCommand, PROJECT_ARGUMENT, PROJECT_OPTIONS, type ProjectOptions } from '../command.ts';
import { resolveProject } from '../project/resolve.ts';
import { describeBackup } from './list-text.ts';
import { describeProof } from './proof-text.ts';
import { completeBackup, selectBackup } from './select.ts';

/** `flux backup show` */
export const command = defineCommand<ProjectOptions & BackupOptions>({
  arguments: PROJECT_ARGUMENT,
  options: [...PROJECT_OPTIONS, ...BACKUP_OPTIONS],
  examples: ['flux backup show --latest', 'flux backup show --latest --json | jq -r .prerequisitesSql'],
  about: 'For a tenant export it also prints the SQL that creates what the artifact leaves out: roles, extensions, types, grants.',
  async run(context, { latest, id, ...options }, [slug]) {
    const named = selectBackup({ latest, id }, 'show');
    const project = await resolveProject(context, options, slug);
    const backupId = await completeBackup(context, project, named);
    const details = await context.client().call('showBackup', { params: { hash: project.hash, id: backupId } });
    const lines = describeBackup(details.backup, context.now());
    for (const proof of details.verifications) {
      lines.push('', `Verification ${proof.verificationId}`, ...describeProof(proof, proof.verdict).map((line) => `  ${line}`.trimEnd()));
    }
    if (details.prerequisitesSql !== null && details.prerequisitesSql !== '') {
      lines.push('', 'What the artifact leaves out, as SQL:', details.prerequisitesSql.trimEnd());
    }
    context.output.answer(lines, details);
    return 0;
  },
});
