import { FluxError } from '@flux/contract/errors';
import { BACKUP_OPTIONS, type BackupOptions, defineCommand, PROJECT_ARGUMENT, PROJECT_OPTIONS, type ProjectOptions } from '../command.ts';
import { resolveProject } from '../project/resolve.ts';
import { adviseAfter } from './proof-advice.ts';
import { describeProof, VERDICT_EXIT_CODES } from './proof-text.ts';
import { verifyBackup } from './run-verify.ts';
import { completeBackup, selectBackup } from './select.ts';

/** Milliseconds of a duration such as 30m or 2h. @throws FluxError `usage` */
function parseTimeLimit(text: string): number {
  const [, number, unit] = /^(\d{1,6})(s|m|h)$/.exec(text) ?? [];
  const limitMs = Number(number) * ({ s: 1000, m: 60_000, h: 3_600_000 }[unit ?? ''] ?? Number.NaN);
  if (limitMs >= 1000 && limitMs <= 24 * 3_600_000) return limitMs;
  throw new FluxError('usage', `--time-limit is not a duration from 1s to 24h: ${text}`, { hint: 'For example --time-limit 2h.' });
}

/** `flux backup verify` */
export const command = defineCommand<ProjectOptions & BackupOptions & { timeLimit?: string }>({
  arguments: PROJECT_ARGUMENT,
  options: [
    ...PROJECT_OPTIONS,
    ...BACKUP_OPTIONS,
    { flags: '--time-limit <duration>', summary: 'such as 30m or 2h, instead of what follows from the size; needs an admin token' },
  ],
  examples: [
    'flux backup verify --project bloom-atelier --hash 0a1b2c3 --latest',
    'flux backup verify --id 0197a5c2-5d1e-7c3a-9b1f-2f6a3c4d5e6f',
  ],
  about:
    'Restores the artifact into a disposable Postgres and compares it with what was recorded when it was dumped.\n' +
    'Exit codes: 0 restorable, 7 verification failed, 10 inconclusive (the verification could not be carried out; the label stays).',
  async run(context, { latest, id, timeLimit, ...options }, [slug]) {
    const named = selectBackup({ latest, id }, 'verify');
    const timeLimitMs = timeLimit === undefined ? undefined : parseTimeLimit(timeLimit);
    const project = await resolveProject(context, options, slug);
    const backupId = await completeBackup(context, project, named);
    const verified = await verifyBackup(context, project, backupId, timeLimitMs);
    const { proof, label } = verified;
    context.output.answer(describeProof(proof, label), { proof, label });
    adviseAfter(context, project, verified);
    return VERDICT_EXIT_CODES[proof.verdict];
  },
});
