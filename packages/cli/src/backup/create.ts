import { defineCommand, PROJECT_ARGUMENT, PROJECT_OPTIONS, type ProjectOptions } from '../command.ts';
import { formatFields } from '../output/table.ts';
import { resolveProject } from '../project/resolve.ts';
import { describeLeftOut } from './left-out-text.ts';
import { formatSize } from './list-text.ts';
import { reportCreated } from './report-created.ts';
import { createBackup } from './run-create.ts';

/** `flux backup create` */
export const command = defineCommand<ProjectOptions & { note?: string; verify?: boolean }>({
  arguments: PROJECT_ARGUMENT,
  options: [
    ...PROJECT_OPTIONS,
    { flags: '--note <text>', summary: 'a short description' },
    { flags: '--verify', summary: 'then verify it by restoring it' },
  ],
  examples: [
    'flux backup create --project bloom-atelier --hash 0a1b2c3',
    'flux backup create --note "before the price change" --verify',
    'flux backup create && flux backup verify --latest',
  ],
  about: 'Exit code 0 only when the artifact is complete and validated; with --verify also 7 (failed) and 10 (inconclusive).',
  async run(context, { note, verify, ...options }, [slug]) {
    const project = await resolveProject(context, options, slug);
    const backup = await createBackup(context, project, note);
    const fields = formatFields([
      ['Id', backup.id],
      ['Kind', backup.kind],
      ['Size', formatSize(backup)],
      ['Label', backup.label],
    ]);
    const lines = [...fields, ...describeLeftOut(backup.leftOut)];
    return await reportCreated(context, project, { backup, lines, verify: verify === true }, (verdict) => {
      if (verdict === undefined) context.output.next(`flux backup verify ${project.flags} --latest`, 'Prove that it can be restored:');
    });
  },
});
