import type { VerificationProof } from '@flux/contract/backup';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { compareObservations, describeFinding, unnamed } from '../harness/by-other-means/compare.ts';
import { type Observation, observe } from '../harness/by-other-means/observe.ts';
import { type Flux, startFlux } from '../harness/flux.ts';
import { psql, startThrowAwayCluster, type ThrowAwayCluster } from '../harness/postgres.ts';
import { findUnnamed, projectAt } from './ways.ts';
import { placeOf, textOf } from './world.ts';

/** A large database that somebody has, made for the purpose. */
export interface WholeDatabase {
  readonly slug: string;
  readonly settings?: Readonly<Record<string, string>>;
  /** Makes it in a cluster, and gives its URI. */
  readonly make: (cluster: ThrowAwayCluster) => Promise<string>;
  /** So many tables, at least, have to be compared. */
  readonly tables: number;
  /** Whether it has what only a superuser can create, and is refused without `--as-superuser`. */
  readonly needsSuperuser?: boolean;
}

const TIMEOUT_MS = 900_000;
/** The login of a test's cluster is what the owner of a project is. */
const AS_OWNER = { without: ['flux', 'auth'], renames: [['elsewhere', '<owner>']] } as const;
/** What the role in a URI gets instead, by design. */
const OF_THE_TARGET = ['owner', 'right', 'default right', 'role', 'membership', 'right on a setting', 'right on the database'];

/** Declares tests that attach the database, back it up, verify it, and bring it back to another server and into a project. */
export function describeWholeDatabase({ slug, settings = {}, make, tables, needsSuperuser = false }: WholeDatabase): void {
  let flux: Flux;
  let cluster: ThrowAwayCluster;
  let target: ThrowAwayCluster;
  let observed: Observation;
  let flags: readonly string[];
  let said = '';

  beforeAll(async () => {
    [flux, cluster, target] = await Promise.all([startFlux(), startThrowAwayCluster({ settings }), startThrowAwayCluster({ settings })]);
    const uri = await make(cluster);
    observed = await observe({ uri, ...AS_OWNER });
    const attached = await flux.fluxWith({ env: { FLUX_ATTACH_URI: uri } }, 'create', slug, '--attach', '--json');
    if (attached.exitCode !== 0) throw new Error(attached.stderr);
    flags = ['--project', slug, '--hash', (JSON.parse(attached.stdout) as { summary: { hash: string } }).summary.hash];
  }, TIMEOUT_MS);
  afterAll(async () => {
    observed?.kept.remove();
    await target?.[Symbol.asyncDispose]();
    await cluster?.[Symbol.asyncDispose]();
    await flux?.[Symbol.asyncDispose]();
  });

  it(`is restorable, with at least ${tables} tables in it`, { timeout: TIMEOUT_MS }, async () => {
    const made = await flux.flux('backup', 'create', ...flags);
    expect(made.exitCode, made.stderr).toBe(0);

    const verified = await flux.flux('backup', 'verify', ...flags, '--latest', '--json');

    said = textOf(verified) + textOf(await flux.flux('backup', 'show', ...flags, '--latest'));
    const { proof } = JSON.parse(verified.stdout) as { proof: VerificationProof };
    expect(proof.verdict, proof.summary).toBe('restorable');
    expect(proof.tablesCompared).toBeGreaterThanOrEqual(tables);
  });

  it('comes back to another server, with every exception named', { timeout: TIMEOUT_MS }, async () => {
    await psql(target.uri('postgres'), 'create database empty template template0');
    const uri = target.uri('empty');
    const options = ['--latest', '--to', '-', '--prerequisites', '--json'];
    const to = await flux.fluxWith({ input: `${uri}\n` }, 'backup', 'restore', ...flags, ...options);
    expect(to.exitCode, textOf(to).slice(0, 3000)).toBe(0);

    const here = await observe({ uri, ...AS_OWNER });

    const left = unnamed(await compareObservations(observed, here, OF_THE_TARGET), [said, textOf(to)]);
    here.kept.remove();
    expect(left.map(describeFinding)).toEqual([]);
  });

  it('comes back into a project, with every exception named', { timeout: TIMEOUT_MS }, async () => {
    const restore = ['backup', 'restore', ...flags, '--latest', '--into', `${slug}-copy`];
    if (needsSuperuser) {
      const refused = await flux.flux(...restore);
      expect(refused.exitCode, textOf(refused).slice(0, 3000)).toBe(1);
      expect(refused.stderr).toContain('--into <name> --as-superuser');
      expect(refused.stderr).toContain('only for a database that you trust');
    }

    const into = await flux.flux(...restore, '--json', ...(needsSuperuser ? ['--as-superuser', '--yes'] : []));

    expect(into.exitCode, textOf(into).slice(0, 3000)).toBe(0);
    const { hash } = (JSON.parse(into.stdout) as { project: { hash: string } }).project;
    const copy = await projectAt(flux, `${slug}-copy`, hash);
    expect(await psql(copy.uri, 'select rolsuper from pg_roles where rolname = current_user')).toBe('f\n');
    const here = await observe(await placeOf(flux, copy, 'v1_dedicated'));
    const back = { exitCode: into.exitCode, said: textOf(into), observed: here, leftOut: [] };
    const left = await findUnnamed(observed, back, [said, back.said]);
    here.kept.remove();
    expect(left.map(describeFinding)).toEqual([]);
  });
}
