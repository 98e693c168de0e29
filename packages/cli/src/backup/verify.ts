import { BACKUP_OPTIONS, type BackupOptions, defineCommand, PROJECT_ARGUMENT, PROJECT_OPTIONS, type ProjectOptions } from '../command.ts';
import { resolveProject } from '../project/resolve.ts';
import { adviseAfter } from './proof-advice.ts';
import { describeProof, VERDICT_EXIT_CODES } from './proof-text.ts';
import { verifyBackup } from './run-verify.ts';
import { completeBackup, selectBackup } from './select.ts';

/** `flux backup verify` */
export const command = defineCommand<ProjectOptions & BackupOptions>({
  arguments: PROJECT_ARGUMENT,
  options: [...PROJECT_OPTIONS, ...BACKUP_OPTIONS],
  examples: [
    'flux backup verify --project bloom-atelier --hash 0a1b2c3 --latest',
    'flux backup verify --id 0197a5c2-5d1e-7c3a-9b1f-2f6a3c4d5e6f',
  ],
  about:
    'Restores the artifact into a disposable Postgres and compares it with what was recorded when it was dumped.\n' +
    'Exit codes: 0 restorable, 7 verification failed, 10 inconclusive (the verification could not be carried out; the label stays).',
  async run(context, { latest, id, ...options }, [slug]) {
    const named = selectBackup({ latest, id }, 'verify');
    const project = await resolveProject(context, options, slug);
    const backupId = await completeBackup(context, project, named);
    const verified = await verifyBackup(context, project, backupId);
    const { proof, label } = verified;
    context.output.answer(describeProof(proof, label), { proof, label });
    adviseAfter(context, project, verified);
    return VERDICT_EXIT_CODES[proof.verdict];
  },
});
