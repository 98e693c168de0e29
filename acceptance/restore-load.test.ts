import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { backUp } from './harness/backups.ts';
import { type Flux, startFlux } from './harness/flux.ts';
import { type Load, startPgbench, startWitness, type Witness } from './harness/load.ts';
import { findClient, readRows } from './harness/postgres.ts';
import { runWell, until } from './harness/process.ts';

const TABLES = `
  create table entries (id bigint generated always as identity primary key, word text not null);
  create table frozen (id int primary key, body text);
  insert into frozen select i, md5(i::text) from generate_series(1, 2000) i;
  insert into entries (word) select 'before ' || i from generate_series(1, 2000) i`;
const SCRIPT = `insert into entries (word) values ('client ' || :client_id || ' ' || random());`;

let flux: Flux;
beforeAll(async () => {
  flux = await startFlux({ env: { FLUX_VERIFY_STANDBY: 'off' } });
});
afterAll(() => flux?.[Symbol.asyncDispose]());

describe.each(['v1_dedicated', 'v2_shared'] as const)('a restore in place on %s under constant load', (mode) => {
  let load: Load;
  let witness: Witness;
  afterAll(() => Promise.all([load?.stop(), witness?.stop()]));

  it('loses no committed row: neither of what it restores, nor one that came before or after the swap', async () => {
    const project = await flux.createProject(`busy-${mode.slice(0, 2)}`, mode);
    await flux.push(project, TABLES);
    const { apiSchema: schema } = (await (await flux.api(`/projects/${project.hash}`)).json()) as { apiSchema: string };
    load = startPgbench(flux.folder, project.uri, SCRIPT, 4);
    witness = startWitness(project.uri, 'entries', 'word');
    await until('the load has begun', () => witness.acknowledged().length > 0);

    const id = await backUp(flux, project, '--verify');
    const artifact = join(flux.folder, `${mode}.dump`);
    expect((await flux.flux('backup', 'download', ...project.flags, '--id', id, '-o', artifact)).exitCode).toBe(0);
    const restored = await flux.flux('backup', 'restore', ...project.flags, '--id', id, '--in-place', '--yes', '--skip-present-backup');
    expect(restored.stderr).not.toContain('Error');
    expect(restored.exitCode).toBe(0);
    const atTheEnd = witness.acknowledged().length;
    await until('clients are back', () => witness.acknowledged().length > atTheEnd + 5);
    await Promise.all([load.stop(), witness.stop()]);

    const live = await readRows(project.uri, schema);
    const dumped = await rowsOf(artifact, 'entries');
    expect(dumped.length).toBeGreaterThan(2000);
    expect(missing(dumped, linesOf(live.get('entries')))).toEqual([]);
    expect(linesOf(live.get('frozen')).sort()).toEqual((await rowsOf(artifact, 'frozen')).sort());
    const after = witness.acknowledged().slice(atTheEnd + 1);
    expect(missing(after, wordsOf(live.get('entries')))).toEqual([]);
    // What came before the swap is in what was replaced.
    expect((await flux.flux('backup', 'restore', ...project.flags, '--undo', '--yes')).exitCode).toBe(0);
    const replaced = await readRows(project.uri, schema);
    const everywhere = [...wordsOf(live.get('entries')), ...wordsOf(replaced.get('entries'))];
    expect(missing(witness.acknowledged(), everywhere)).toEqual([]);
    console.log(`${mode}: ${dumped.length} rows restored, ${witness.acknowledged().length} witnessed, ${after.length} of them after it`);
  });
});

/** The rows of one table of an artifact, as COPY writes them. */
async function rowsOf(artifact: string, table: string): Promise<string[]> {
  const sql = await runWell(join(findClient(), 'pg_restore'), ['--data-only', '-t', table, '-f', '-', artifact]);
  return linesOf(/^COPY .*\n([\s\S]*?)^\\\.$/m.exec(sql)?.[1]);
}

function linesOf(text = ''): string[] {
  return text.split('\n').filter((line) => line !== '');
}

function wordsOf(text: string | undefined): string[] {
  return linesOf(text).map((line) => line.split('\t')[1] ?? '');
}

function missing(wanted: readonly string[], there: readonly string[]): string[] {
  const found = new Set(there);
  return wanted.filter((each) => !found.has(each));
}
