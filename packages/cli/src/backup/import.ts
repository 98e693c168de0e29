import { basename } from 'node:path';
import { displaySafe } from '@flux/contract/display';
import { IMPORTED_NOTE } from '@flux/contract/labels';
import { defineCommand, PROJECT_OPTIONS, type ProjectOptions } from '../command.ts';
import { runOperation } from '../operations/run.ts';
import { createProgressMeter } from '../output/progress.ts';
import { formatCounted } from '../output/quantity.ts';
import { formatFields } from '../output/table.ts';
import { resolveProject } from '../project/resolve.ts';
import { openDumpFile } from './dump-file.ts';
import { describeLeftOut } from './left-out-text.ts';
import { formatSize } from './list-text.ts';
import { reportCreated } from './report-created.ts';

/** `flux backup import` */
export const command = defineCommand<ProjectOptions & { note?: string; verify?: boolean }>({
  arguments: [{ name: '<file>', summary: 'an archive of `pg_dump -Fc`' }],
  options: [
    ...PROJECT_OPTIONS,
    { flags: '--note <text>', summary: 'a short description (default: what the archive says of itself)' },
    { flags: '--verify', summary: 'then verify it by restoring it again' },
  ],
  examples: [
    'flux backup import shop.dump --project bloom-atelier --hash 0a1b2c3',
    'flux backup import shop.dump --verify',
    'flux backup restore --id 0197a5c2 --into shop',
  ],
  about:
    'Brings an archive that was made elsewhere into Flux: it is uploaded, restored in a sandbox, and listed as a backup of the project,\n' +
    'which can be verified, downloaded and restored by its id. It is compared with what the archive itself holds, because there is no source to\n' +
    'compare it with. It is never the latest backup, and no way back for the data of the project: --latest does not mean it.',
  async run(context, { note, verify, ...options }, [path = '']) {
    const { output } = context;
    const project = await resolveProject(context, options);
    const meter = createProgressMeter();
    const show = (phase: string, message: string) => (done: number, total: number) =>
      output.status.update(meter.describe({ phase, message, done, total, unit: 'bytes' }, performance.now()), phase);
    const file = await openDumpFile(path, show('hash', `Reading ${basename(path)}`));
    const content = { sizeBytes: file.sizeBytes, open: () => file.read(show('upload', 'Uploading')) };
    const query = { sha256: file.sha256, name: basename(path).slice(0, 255), note };
    const { backup } = await runOperation(
      context,
      'importBackup',
      { params: { hash: project.hash }, query, content, idleMs: null },
      {
        doing: `Importing ${displaySafe(basename(path))} into ${project.slug}`,
        checkCommand: `flux backup list ${project.flags}`,
        beforeStart: { message: 'The upload was stopped. Nothing was imported.', hint: 'Run the command again.' },
      },
    );
    const fields = formatFields([
      ['Id', backup.id],
      ['Size', formatSize(backup)],
      ['Holds', `${formatCounted(backup.tables ?? 0, 'table')}, ${formatCounted(backup.rows ?? 0, 'row')}`],
      ['Note', backup.note],
      ['Label', backup.label],
    ]);
    const lines = [...fields, ...describeLeftOut(backup.leftOut), '', IMPORTED_NOTE];
    return await reportCreated(context, project, { backup, lines, verify: verify === true }, (verdict) => {
      if (verdict === undefined)
        output.next(`flux backup verify ${project.flags} --id ${backup.id}`, 'Prove that it restores to the same again:');
      output.next(`flux backup restore ${project.flags} --id ${backup.id} --into <new-name>`, 'Restore it:');
    });
  },
});
