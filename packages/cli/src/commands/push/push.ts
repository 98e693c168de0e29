import { dirname } from 'node:path';
import { createBackup } from '../../backups/create.ts';
import { describeProof, VERDICT_EXIT_CODES } from '../../backups/proof-text.ts';
import { verifyBackup } from '../../backups/verify.ts';
import type { Context } from '../../context.ts';
import { type ResolvedProject, resolveProject } from '../../project/resolve.ts';
import { findDangersIn, warnOfDangers } from '../../push/dangers.ts';
import { collectSqlFiles, DEFAULT_PLACES, type PushMode } from '../../push/files.ts';
import { planPush } from '../../push/plan.ts';
import { showPlan } from '../../push/plan-text.ts';
import { runPush } from '../../push/run.ts';
import { defineCommand, type ExitCode, PROJECT_OPTIONS, type ProjectOptions } from '../command.ts';

type PushOptions = ProjectOptions & { mode?: PushMode; plan?: boolean; dryRun?: boolean; force?: boolean; backup?: boolean };

/** `flux push` */
export const command = defineCommand<PushOptions>({
  arguments: [{ name: '[path]', summary: `a .sql file, or a folder of them (default: ${DEFAULT_PLACES.join(', ')})` }],
  options: [
    ...PROJECT_OPTIONS,
    {
      flags: '--mode <mode>',
      summary: 'raw: run it; versioned: once; repeatable: whenever it changed',
      choices: ['raw', 'versioned', 'repeatable'],
    },
    { flags: '--plan', summary: 'only say what would run, and what of it destroys data' },
    { flags: '--dry-run', summary: 'run it and take it back' },
    { flags: '--force', summary: 'run repeatable files again though they did not change' },
    { flags: '--backup', summary: 'create and verify a backup first; run nothing when that fails' },
  ],
  examples: ['flux push', 'flux push ./migrations --plan', 'flux push ./seed.sql', 'flux push ./migrations --dry-run'],
  about:
    'A folder is versioned: 001_init.sql and so on, in natural order, each once; R__name.sql are repeatable and run last.\n' +
    'A single file is raw. Each file runs in one transaction, together with its row in the ledger.\n' +
    'What destroys data is marked by --plan, and warned of when the newest backup is not proven; nothing is refused for it.',
  async run(context, { mode, plan: planOnly, dryRun, force, backup, ...options }, [path]) {
    const { output, settings, cwd } = context;
    const roots = settings.linkFile === null ? [cwd] : [cwd, dirname(settings.linkFile.path)];
    const files = await collectSqlFiles(path, roots, mode);
    const project = await resolveProject(context, options);
    const isLedgered = files.some((file) => file.mode !== 'raw');
    const { applied } = isLedgered ? await context.client().call('listMigrations', { params: { hash: project.hash } }) : { applied: [] };
    const plan = planPush(files, applied, force === true);
    const dangers = dryRun === true && planOnly !== true ? [] : await findDangersIn(plan);
    if (planOnly === true) return showPlan(context, project, plan, dangers);
    if (backup === true && dryRun !== true && plan.some(({ action }) => action === 'run')) {
      const code = await backUpFirst(context, project);
      if (code !== 0) return code;
    } else await warnOfDangers(context, project, dangers);
    if (isLedgered) output.line('Flux migrations');
    const done = await runPush(context, project, plan, { dryRun: dryRun === true, force: force === true });
    const skipped = done.filter(({ result }) => result === 'skipped').length;
    const ran = done.length - skipped;
    if (isLedgered)
      output.line(
        dryRun === true
          ? `Dry run: ${ran} would apply, ${skipped} skipped. Nothing was changed.`
          : `Done. ${ran} applied, ${skipped} skipped.`,
      );
    output.answer([], {
      ok: true,
      slug: project.slug,
      hash: project.hash,
      dryRun: dryRun === true,
      applied: dryRun === true ? 0 : ran,
      skipped,
      files: done,
    });
    return 0;
  },
});

async function backUpFirst(context: Context, project: ResolvedProject): Promise<ExitCode> {
  const created = await createBackup(context, project, 'before flux push');
  const { proof, label } = await verifyBackup(context, project, created.id);
  if (proof.verdict === 'restorable') {
    context.output.note(`Backup ${created.id}: ${label}`);
    return 0;
  }
  context.output.answer([...describeProof(proof, label), '', 'Nothing was pushed.'], { ok: false, backup: created, proof, label });
  return VERDICT_EXIT_CODES[proof.verdict];
}
