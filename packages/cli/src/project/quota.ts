import { FluxError } from '@flux/contract/errors';
import type { QuotaAnswer, QuotaRequest } from '@flux/contract/quota';
import { defineCommand, PROJECT_ARGUMENT, PROJECT_OPTIONS, type ProjectOptions } from '../command.ts';
import { formatBytes, formatCount } from '../output/quantity.ts';
import { formatFields } from '../output/table.ts';
import { formatTime } from '../output/time.ts';
import { resolveProject } from './resolve.ts';

type QuotaOptions = { disk?: string; backups?: string; operations?: string };

/** `flux project quota` */
export const command = defineCommand<ProjectOptions & QuotaOptions>({
  arguments: PROJECT_ARGUMENT,
  options: [
    ...PROJECT_OPTIONS,
    { flags: '--disk <size>', summary: 'for its database and its backups together, such as 200GiB' },
    { flags: '--backups <n>', summary: 'backups that are kept, at least 2' },
    { flags: '--operations <n>', summary: 'pushes, backups, verifications and imports within 24 hours' },
  ],
  examples: ['flux project quota bloom-atelier --hash 0a1b2c3', 'flux project quota --disk 200GiB --backups default'],
  about:
    'Without an option, shows what a project may use, and what it uses. To change it needs an admin token that is not limited to projects;\n' +
    '`default` puts back the setting of the server. A project that has used up its quota is told so; nothing of it is removed.',
  async run(context, { disk, backups, operations, ...options }, [slug]) {
    const body: QuotaRequest = {
      ...(disk === undefined ? {} : { diskBytes: parse(disk, parseSize, '--disk', 'a size such as 200GiB') }),
      ...(backups === undefined ? {} : { backups: parse(backups, parseCount, '--backups', 'a whole number') }),
      ...(operations === undefined ? {} : { operationsPerDay: parse(operations, parseCount, '--operations', 'a whole number') }),
    };
    const { hash } = await resolveProject(context, options, slug);
    const client = context.client();
    const isChange = Object.keys(body).length > 0;
    const answer = isChange
      ? await client.call('setQuota', { params: { hash }, body })
      : await client.call('getQuota', { params: { hash } });
    context.output.answer(describeQuota(answer, context.now()), answer);
    return 0;
  },
});

/** What a project uses, of what it may use. */
function describeQuota({ quota: { limits, own, used } }: QuotaAnswer, now: Date): string[] {
  const of = (limit: string, isOwn: boolean) => `of ${limit}${isOwn ? ' (its own limit)' : ''}`;
  const database = used.databaseBytes === null ? 'database not measured' : `database ${formatBytes(used.databaseBytes)}`;
  const total = formatBytes((used.databaseBytes ?? 0) + used.backupBytes);
  return formatFields([
    [
      'Disk',
      `${total} ${of(formatBytes(limits.diskBytes), own.diskBytes !== undefined)}: ${database}, backups ${formatBytes(used.backupBytes)}`,
    ],
    ['Backups', `${formatCount(used.backups)} ${of(formatCount(limits.backups), own.backups !== undefined)}`],
    [
      'Operations in 24 h',
      `${formatCount(used.operationsPerDay)} ${of(formatCount(limits.operationsPerDay), own.operationsPerDay !== undefined)}`,
    ],
    ['Measured', used.measuredAt === null ? null : formatTime(used.measuredAt, now)],
  ]);
}

function parse(text: string, read: (text: string) => number | undefined, option: string, expected: string): number | null {
  if (text === 'default') return null;
  const value = read(text);
  if (value !== undefined && Number.isSafeInteger(value) && value > 0) return value;
  throw new FluxError('usage', `${option} is ${expected}, or default; it was ${text}.`);
}

function parseCount(text: string): number | undefined {
  return /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}

function parseSize(text: string): number | undefined {
  const [, number, unit] = /^(\d{1,9}(?:\.\d{1,3})?)(MiB|GiB|TiB)$/i.exec(text) ?? [];
  const power = ['mib', 'gib', 'tib'].indexOf(unit?.toLowerCase() ?? '');
  return number === undefined ? undefined : Math.floor(Number(number) * 1024 ** (power + 2));
}
