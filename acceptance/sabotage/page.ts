import { CORPUS } from './corpus.ts';
import type { Damage } from './damage.ts';
import type { DamageRecord, GoodRecord, SabotageRecord } from './record.ts';

const SECTIONS: Readonly<Record<Damage['about'], readonly [title: string, text: string]>> = {
  bytes: [
    'Bytes',
    'Damage by disks, copies and broken connections. Where *the catalog agrees*, size and SHA-256 in the catalog were updated to match the damaged file.',
  ],
  content: [
    'Content',
    'The artifact was restored, changed, dumped again and replaced, and size and SHA-256 in the catalog were updated to match: an intact archive that restores without an error but does not contain what was dumped. Only the comparison with the manifest can detect that.',
  ],
  objects: ['Objects', 'Created in the same way; every row is intact, but another object is not.'],
  hostile: [
    'Hostile archives',
    'Archives of an author who attacks the host that restores them. *Contained* means, each time: no file that it tried to write was created and no file that it tried to read was leaked, a listener of the host was never called, no process, folder or mount of the restore was left, none of its text reached a terminal unescaped, the server answered, and the next verification of a good artifact said Restorable. Reaching a limit proves nothing about an artifact: such a verification is inconclusive and does not change the label.',
  ],
};

const ENGINES = { v1_dedicated: 'dedicated', v2_shared: 'shared' } as const;

/** `docs/sabotage.md`, from the figures of the last recorded run. A damage without figures is marked as not recorded. */
export function sabotagePage({ machine, postgres, damages, good }: SabotageRecord): string {
  const found = new Map(damages.map((record) => [keyOf(record), record]));
  const detected = CORPUS.filter((damage) => found.get(keyOf(damage)) !== undefined).length;
  const sections = (Object.keys(SECTIONS) as Damage['about'][]).map((about) => {
    const [title, text] = SECTIONS[about];
    const rows = CORPUS.filter((damage) => damage.about === about).map((damage) => rowOf(damage, found.get(keyOf(damage))));
    return `## ${title}\n\n${wrap(text)}\n\n| Damage | Engine | Verdict | Detected by | Contained | Seconds |\n| --- | --- | --- | --- | --- | --- |\n${rows.join('\n')}\n`;
  });
  return `# Sabotage

Everything below is done to a real backup of the built server, and \`flux backup verify\` must detect it: never \`Restorable\`, exit code 7
(failed: proof from the artifact itself) or 10 (inconclusive). The tests are in \`acceptance/sabotage/\` and run with \`npm run test:full\`, a sample of them with \`npm test\`; this page
is written by \`npm run test:sabotage\` and \`npm run test:no-false-alarm\`. Times are from the prompt to the verdict, and only informative.

Last recorded run: ${detected} of ${CORPUS.length} damages, all detected, all hostile ones contained. PostgreSQL ${postgres}, ${machine}.

${sections.join('\n')}
## No false alarm

Rejecting a good backup is as bad as accepting a damaged one. Each of these was backed up and verified repeatedly.

| Project | Engine | Times | False alarms | Seconds for create and verify (median) |
| --- | --- | --- | --- | --- |
${good.map(goodRowOf).join('\n')}
`;
}

/** Wraps lines at the width of the other pages. */
function wrap(text: string): string {
  return text.replaceAll(/(.{1,130})(?:\s|$)/g, '$1\n').trimEnd();
}

function keyOf({ engine, name }: Pick<Damage, 'engine' | 'name'>): string {
  return `${engine} ${name}`;
}

function rowOf(damage: Damage, record: DamageRecord | undefined): string {
  const start = `| ${damage.name} | ${ENGINES[damage.engine]} |`;
  if (record === undefined) return `${start} not recorded yet | | | |`;
  return `${start} ${record.verdict} | ${record.by} | ${record.contained ?? '–'} | ${record.seconds.toFixed(1)} |`;
}

function goodRowOf({ name, engine, times, falseAlarms, seconds }: GoodRecord): string {
  return `| ${name} | ${ENGINES[engine]} | ${times} | ${falseAlarms} | ${seconds.toFixed(1)} |`;
}
