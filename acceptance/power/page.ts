import type { PowerRecord, PowerRun } from './record.ts';
import { SCENARIOS } from './scenarios.ts';

const ENGINES = { v1_dedicated: 'dedicated', v2_shared: 'shared' } as const;

/** `docs/power.md`, from the figures of the last recorded run. A scenario that was added since has none, and says so. */
export function powerPage({ machine, scenarios }: PowerRun): string {
  const rows = SCENARIOS.map(({ name, engine }) => {
    const record = scenarios.find((each) => each.scenario === name && each.engine === engine);
    return `| ${name} | ${ENGINES[engine]} | ${record === undefined ? 'not recorded yet | | | | |' : cellsOf(record)}`;
  });
  return `# Power cuts

Every process of Flux is ended with \`kill -9\` in the same moment: the control plane, the Postgres servers that it runs with all of their
sessions, the tools and sandboxes, and the command. Then Flux is started again. Everything must be as it was before the command, or as
the command leaves it, whole: every row, object, privilege and sequence, the lines of the catalog, the files. Then the command is
run again and must come to its end, with nothing half-made left behind.

The moments are drawn at random over the time that the command takes undisturbed, and a little beyond, one from each of as many equal
parts as there are cuts. The tests are in \`acceptance/power/\`; a few cuts of each run with \`npm run test:full\`. This page is written by
\`npm run test:power\`; \`FLUX_TEST_SEED=<seed>\` draws the same moments again.

Last recorded run: ${machine}.

| Command | Engine | Cuts | Found as it was | Found done | Neither | Seconds undisturbed (median) | Seed |
| --- | --- | --- | --- | --- | --- | --- | --- |
${rows.join('\n')}

A kill is not all of a power cut: what a disk has not yet written is lost as well. Postgres and Flux sync what they rely on before they
go on (docs/design.md), and no test here takes that away.
`;
}

function cellsOf(record: PowerRecord): string {
  return `${record.cuts} | ${record.old} | ${record.new} | ${record.neither} | ${record.seconds.toFixed(1)} | ${record.seed} |`;
}
