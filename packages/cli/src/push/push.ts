import { dirname } from 'node:path';
import { FluxError } from '@flux/contract/errors';
import { describeProof, VERDICT_EXIT_CODES } from '../backup/proof-text.ts';
import { createBackup } from '../backup/run-create.ts';
import { verifyBackup } from '../backup/run-verify.ts';
import { defineCommand, type ExitCode, PROJECT_OPTIONS, type ProjectOptions } from '../command.ts';
import type { CallContext } from '../context.ts';
import type { Override } from '../destroy/confirm.ts';
import { type ResolvedProject, resolveProject } from '../project/resolve.ts';
import { confirmDangers, findDangersIn } from './dangers.ts';
import { asRecorded, collectSqlFiles, DEFAULT_PLACES, idOf, type PushMode, type SqlFile } from './files.ts';
import { noteLeftOut, requireRunnable } from './foreign.ts';
import { readLedger } from './ledger.ts';
import { planPush } from './plan.ts';
import { showPlan } from './plan-text.ts';
import { runPush } from './run.ts';

type PushOptions = ProjectOptions & {
  mode?: PushMode;
  id?: string;
  plan?: boolean;
  dryRun?: boolean;
  force?: boolean;
  backup?: boolean;
  yes?: boolean;
  skipBackupCheck?: boolean;
  reason?: string;
};

/** `flux push` */
export const command = defineCommand<PushOptions>({
  arguments: [{ name: '[path]', summary: `a .sql file, or a folder of them (default: ${DEFAULT_PLACES.join(', ')})` }],
  options: [
    ...PROJECT_OPTIONS,
    {
      flags: '--mode <mode>',
      summary: 'raw: run it now; versioned: once; repeatable: whenever it changes',
      choices: ['raw', 'versioned', 'repeatable'],
    },
    { flags: '--id <id>', summary: 'name of a single repeatable file in the ledger (default: its path)' },
    { flags: '--plan', summary: 'only show what would run, and what of it destroys data' },
    { flags: '--dry-run', summary: 'run it and roll it back' },
    { flags: '--force', summary: 'run repeatable files again even if they are unchanged' },
    { flags: '--backup', summary: 'create and verify a backup first; run nothing when that fails' },
    { flags: '--yes', summary: 'do not ask before data is destroyed that no restore-verified backup has' },
    { flags: '--skip-backup-check', summary: 'push although the policy of the project refuses it (dangerous; audited; admins only)' },
    { flags: '--reason <text>', summary: 'why the check is skipped; asked for on a terminal, required with --no-input' },
  ],
  examples: ['flux push', 'flux push ./migrations --plan', 'flux push ./seed.sql', 'flux push ./migrations --dry-run'],
  about:
    'A folder is versioned: 001_init.sql and so on, in natural order, each once; R__name.sql are repeatable and run last.\n' +
    'Of the files of other tools only the way up runs: no .down.sql, and nothing below `-- migrate:down` or its like.\n' +
    'A single file is what it would be in its folder: versioned when its name begins with a number or its folder contains migrations,\n' +
    'else raw, which runs each time and is not recorded. Each file is one transaction, together with its row in the ledger.\n' +
    '--plan marks statements that destroy data; when the newest backup is not restore-verified, a push\n' +
    'warns about them, asks on a terminal, and needs --yes with --no-input; `flux project set --push-policy refuse` refuses it.',
  async run(context, { mode, id, plan: planOnly, dryRun, force, backup, yes, skipBackupCheck, reason, ...options }, [path]) {
    const { output, settings, cwd } = context;
    const roots = settings.linkFile === null ? [cwd] : [cwd, dirname(settings.linkFile.path)];
    if (planOnly === true && dryRun === true)
      throw new FluxError('usage', '--plan and --dry-run cannot be combined.', {
        hint: '--plan runs nothing; --dry-run runs it and rolls it back.',
      });
    const collected = await collectSqlFiles(path, roots, { mode, id });
    if (force === true) requireRepeatable(collected.files);
    const project = await resolveProject(context, options);
    const applied = mode === 'raw' ? [] : await readLedger(context, project.hash);
    const root = roots.at(-1) ?? cwd;
    const files: SqlFile[] = [];
    for (const file of collected.files) files.push(mode === 'raw' ? file : await asRecorded(file, applied, idOf(file.path, root)));
    const isLedgered = files.some((file) => file.mode !== 'raw');
    const plan = planPush(files, applied, force === true);
    noteLeftOut(context, collected, requireRunnable(plan));
    const dangers = dryRun === true && planOnly !== true ? [] : await findDangersIn(plan);
    if (planOnly === true) return showPlan(context, project, plan, dangers);
    let override: Override = {};
    if (backup === true && dryRun !== true && plan.some(({ action }) => action === 'run')) {
      const code = await backUpFirst(context, project);
      if (code !== 0) return code;
    } else override = await confirmDangers(context, project, dangers, { yes, skipBackupCheck, reason });
    if (isLedgered) output.line('Flux migrations');
    const done = await runPush(context, project, plan, { dryRun: dryRun === true, force: force === true, override });
    const skipped = done.filter(({ result }) => result === 'skipped').length;
    const ran = done.length - skipped;
    if (isLedgered)
      output.line(
        dryRun === true
          ? `Dry run: ${ran} would apply, ${skipped} skipped. Nothing was changed.`
          : `Done. ${ran} applied, ${skipped} skipped.`,
      );
    for (const { filename, mode: ranAs, result } of done) {
      if (ranAs === 'raw' && result === 'applied')
        output.note(`${filename} is not in the ledger: every push of it, alone or with its folder, runs it again.`);
    }
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

function requireRepeatable(files: readonly SqlFile[]): void {
  if (files.some(({ mode }) => mode === 'repeatable')) return;
  throw new FluxError('usage', '--force runs repeatable files again, but none of these files is repeatable.', {
    hint: 'Leave it out, or add --mode repeatable.',
  });
}

async function backUpFirst(context: CallContext, project: ResolvedProject): Promise<ExitCode> {
  const created = await createBackup(context, project, 'before flux push');
  const { proof, label } = await verifyBackup(context, project, created.id);
  if (proof.verdict === 'restorable') {
    context.output.note(`Backup ${created.id}: ${label}`);
    return 0;
  }
  context.output.answer([...describeProof(proof, label), '', 'Nothing was pushed.'], { ok: false, backup: created, proof, label });
  return VERDICT_EXIT_CODES[proof.verdict];
}
