import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readState } from './gate/state.ts';
import { type Flux, startFlux, type TestProject } from './harness/flux.ts';
import { psql } from './harness/postgres.ts';
import { catalogUri } from './harness/superuser.ts';

let flux: Flux;
beforeAll(async () => {
  flux = await startFlux();
});
afterAll(() => flux?.[Symbol.asyncDispose]());

const catalog = (sql: string) => psql(catalogUri(flux), sql);

const stateOf = (project: TestProject) => readState(flux, project);

type Mode = 'v1_dedicated' | 'v2_shared';

interface Tier {
  readonly tier: string;
  readonly words: string;
  /** Brings the project, which has a restorable newest backup, into the tier; returns what takes it back. */
  enter(project: TestProject, mode: Mode): Promise<() => Promise<void> | void>;
}

const latestId = async (project: TestProject) =>
  (
    await catalog(
      `select b.id from backups b join projects p on p.id = b.project_id where p.hash = '${project.hash}' order by seq desc limit 1`,
    )
  ).trim();

/** Changes the newest row, and puts every column back afterwards. */
async function withLatest(project: TestProject, change: string, back: string): Promise<() => Promise<void>> {
  const id = await latestId(project);
  await catalog(`update backups set ${change} where id = '${id}'`);
  return async () => {
    await catalog(`update backups set ${back} where id = '${id}'`);
  };
}

const fileOf = async (project: TestProject) =>
  join(flux.dataFolder, 'backups', (await catalog(`select key from copies where backup_id = '${await latestId(project)}'`)).trim());
const verifiedAgain = `restore_verification = 'restore_verified', restore_verified_at = now(), restore_verification_error = null, verified_sha256 = sha256`;

const TIERS: readonly Tier[] = [
  {
    tier: 'not_restore_verified',
    words: 'The latest backup has not been restore-verified.',
    enter: (project) =>
      withLatest(project, `restore_verification = 'pending', restore_verified_at = null, verified_sha256 = null`, verifiedAgain),
  },
  {
    tier: 'restore_failed',
    words: 'The latest backup failed its restore verification.',
    enter: (project) =>
      withLatest(
        project,
        `restore_verification = 'restore_failed', restore_verification_error = 'test', verified_sha256 = null`,
        verifiedAgain,
      ),
  },
  {
    tier: 'artifact_pending',
    words: 'The latest backup is still being validated.',
    enter: (project) =>
      withLatest(
        project,
        `restore_verification = 'pending', restore_verified_at = null, verified_sha256 = null, artifact_validation = 'pending', artifact_validated_at = null`,
        `artifact_validation = 'artifact_valid', artifact_validated_at = now(), ${verifiedAgain}`,
      ),
  },
  {
    tier: 'pipeline_incomplete',
    words: 'The file of the latest backup is missing or damaged.',
    enter: async (project) => {
      const path = await fileOf(project);
      renameSync(path, `${path}.away`);
      return () => renameSync(`${path}.away`, path);
    },
  },
  {
    tier: 'pipeline_incomplete',
    words: 'its bytes have changed',
    enter: async (project) => {
      const path = await fileOf(project);
      const good = readFileSync(path);
      writeFileSync(
        path,
        good.map((byte, at) => (at === good.length - 20 ? byte ^ 1 : byte)),
      );
      // What the gate finds is recorded once; after that a refusal changes nothing, as always.
      expect((await flux.flux('nuke', project.slug, '--hash', project.hash, '--yes')).exitCode).toBe(6);
      return async () => {
        writeFileSync(path, good);
        expect((await flux.flux('backup', 'verify', ...project.flags, '--latest')).exitCode).toBe(0);
      };
    },
  },
  {
    tier: 'not_restore_verified',
    words: 'it was created when the project was',
    enter: async (project, mode) => {
      const kinds = [
        ['project_db', 'v1_dedicated'],
        ['tenant_export', 'v2_shared'],
      ] as const;
      const [same, other] = mode === 'v1_dedicated' ? kinds : [kinds[1], kinds[0]];
      return withLatest(project, `kind = '${other[0]}', engine = '${other[1]}'`, `kind = '${same[0]}', engine = '${same[1]}'`);
    },
  },
  {
    tier: 'latest_not_complete',
    words: 'The latest backup is not complete.',
    enter: async (project) => {
      await catalog(
        `insert into backups (id, project_id, kind, engine, status, failure, created_at) select gen_random_uuid(), project_id, kind, engine, 'failed', 'test', now() from backups where id = '${await latestId(project)}'`,
      );
      const id = await latestId(project);
      return async () => {
        await catalog(`delete from backups where id = '${id}'`);
      };
    },
  },
  {
    tier: 'not_restore_verified',
    words: 'The latest backup has not been restore-verified.',
    // A proven backup is there, but it is not the newest one.
    enter: async (project) => {
      expect((await flux.flux('backup', 'create', ...project.flags)).exitCode).toBe(0);
      const id = await latestId(project);
      return async () => {
        await catalog(
          `delete from audit_events where subject = '${id}'; update backups set operation_id = null where id = '${id}'; delete from operations where backup_id = '${id}'; delete from backup_manifests where backup_id = '${id}'; delete from backups where id = '${id}'`,
        );
      };
    },
  },
];

/** A way to destroy something of a project: by the command, and by the route. */
interface Path {
  readonly name: string;
  readonly modes: readonly Mode[];
  command(project: TestProject, proven: string): readonly string[];
  request(project: TestProject, proven: string): readonly [path: string, method: 'DELETE' | 'POST', body?: object];
}

const BOTH: readonly Mode[] = ['v1_dedicated', 'v2_shared'];
const PATHS: readonly Path[] = [
  {
    name: 'nuke',
    modes: BOTH,
    command: ({ slug, hash }) => ['nuke', slug, '--hash', hash],
    request: ({ hash }) => [`/projects/${hash}`, 'DELETE'],
  },
  {
    name: 'reset',
    modes: BOTH,
    command: ({ slug, hash }) => ['project', 'reset', slug, '--hash', hash],
    request: ({ hash }) => [`/projects/${hash}/reset`, 'POST', {}],
  },
  {
    name: 'restore in place',
    modes: BOTH,
    command: ({ flags }, proven) => ['backup', 'restore', ...flags, '--id', proven, '--in-place'],
    request: ({ hash }, proven) => [`/projects/${hash}/backups/${proven}/restore`, 'POST', { inPlace: true }],
  },
  {
    name: 'migrate and drop the source',
    modes: ['v2_shared'],
    command: ({ flags }) => ['migrate', ...flags, '--to', 'v1_dedicated', '--drop-source-after'],
    request: ({ slug, hash }) => ['/migrate', 'POST', { slug, hash, to: 'v1_dedicated', yes: true, dropSourceAfter: true }],
  },
];

describe.each(['v1_dedicated', 'v2_shared'] as const)('the gate of a project on %s', (mode) => {
  let project: TestProject;
  let proven: string;
  const paths = PATHS.filter(({ modes }) => modes.includes(mode));
  const ask = ([path, method, body]: ReturnType<Path['request']>) => {
    const json = { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
    return flux.api(path, { method, ...(body === undefined ? {} : json) });
  };
  const nuke = (...args: string[]) => flux.flux('nuke', project.slug, '--hash', project.hash, ...args);

  beforeAll(async () => {
    project = await flux.createProject(mode === 'v1_dedicated' ? 'gated' : 'gated-tenant', mode);
    await flux.push(
      project,
      `create table orders (id int primary key, note text); insert into orders select i, md5(i::text) from generate_series(1, 200) i;`,
    );
  });

  it('is shut when there is no backup', async () => {
    const before = await stateOf(project);
    const refused = await nuke('--yes');
    expect(refused.exitCode).toBe(6);
    expect(refused.stderr).toContain(
      'There is no backup. Run `flux backup create && flux backup verify --latest` first, or pass --skip-backup-check (dangerous).\n(',
    );
    expect(refused.stdout).toBe('');
    expect(await stateOf(project)).toBe(before);
    expect((await flux.flux('backup', 'create', ...project.flags, '--verify')).exitCode).toBe(0);
    proven = await latestId(project);
  });

  it.each(TIERS)('is shut at tier $tier: $words', async ({ tier, words, enter }) => {
    const leave = await enter(project, mode);
    try {
      const before = await stateOf(project);

      for (const path of paths) {
        // A backup of another engine cannot be restored in place whatever the gate says.
        if (path.name === 'restore in place' && words.includes('it was created when')) continue;
        const refused = await flux.flux(...path.command(project, proven), '--yes');
        const answer = await ask(path.request(project, proven));

        expect([path.name, refused.exitCode]).toEqual([path.name, 6]);
        expect(refused.stderr).toContain(words);
        expect(refused.stderr).toContain('flux backup create && flux backup verify --latest');
        expect([path.name, answer.status]).toEqual([path.name, 412]);
        expect(answer.headers.get('content-type')).toContain('application/problem+json');
        const problem = (await answer.json()) as { error: string; code: string; details: { tier: string } };
        expect(problem.code).toBe('gate_refused');
        expect(problem.details.tier).toBe(tier);
        expect(problem.error).toMatch(
          /Run `flux backup create && flux backup verify --latest` first, or pass --skip-backup-check \(dangerous\)\.\n\(.+\)$/,
        );
      }
      if ((await latestId(project)) !== proven) await keepsTheProvenOne();
      expect(await stateOf(project)).toBe(before);
    } finally {
      await leave();
    }
  });

  const keepsTheProvenOne = async () => {
    const refused = await flux.flux('backup', 'delete', ...project.flags, '--id', proven, '--yes');
    const answer = await flux.api(`/projects/${project.hash}/backups/${proven}`, { method: 'DELETE' });
    expect(refused.exitCode).toBe(6);
    expect(refused.stderr).toContain('newest restore-verified backup');
    expect(answer.status).toBe(412);
  };

  it('keeps the newest proven backup from being deleted', async () => {
    const before = await stateOf(project);
    await keepsTheProvenOne();
    expect(await stateOf(project)).toBe(before);
  });

  it('asks for the name, and takes no other', async () => {
    const before = await stateOf(project);
    for (const path of paths) {
      for (const args of [[], ['--no-input'], ['--confirm', 'another-name']]) {
        const refused = await flux.flux(...path.command(project, proven), ...args);
        expect([path.name, args, refused.exitCode]).toEqual([path.name, args, 2]);
        expect(refused.stderr).toContain(project.slug);
      }
    }
    expect(await stateOf(project)).toBe(before);
  });

  it('wants a reason for an override where nobody can be asked', async () => {
    for (const path of paths) {
      const refused = await flux.flux(...path.command(project, proven), '--yes', '--skip-backup-check', '--no-input');
      expect([path.name, refused.exitCode]).toEqual([path.name, 2]);
      expect(refused.stderr).toContain('--reason');
    }
  });

  it('lets a proven project be emptied and restored in place, and each be undone', async () => {
    const uri = async () =>
      (await flux.flux('project', 'credentials', project.slug, '--hash', project.hash, '--field', 'postgres.url')).stdout.trim();
    const count = async () => psql(await uri(), 'select count(*) from orders');
    const answer = await ask(PATHS[1]?.request(project, proven) ?? ['', 'POST']);
    expect(answer.status).toBe(200);
    await expect(count()).rejects.toThrow(/relation "orders" does not exist/);
    expect((await flux.flux('migrations', 'list', ...project.flags, '--json')).stdout).toContain('"applied": []');
    await flux.push(project, 'create table fresh (id int); insert into fresh values (1)');
    await psql(await uri(), 'insert into fresh values (2)');
    expect((await flux.flux('backup', 'restore', ...project.flags, '--undo', '--yes')).exitCode).toBe(0);
    expect(await count()).toBe('200\n');

    await flux.push(project, 'delete from orders where id > 10');
    const restored = await flux.flux('backup', 'restore', ...project.flags, '--id', proven, '--in-place', '--yes');
    expect(restored.exitCode).toBe(0);
    expect(await count()).toBe('200\n');
  });

  it('is open when the newest backup is proven; the way back stays under the hash', async () => {
    const gone = await nuke('--confirm', project.slug);

    expect(gone.stderr).not.toContain('Warning');
    expect(gone.stdout).toContain(`${project.slug} (${project.hash}) is removed.`);
    expect(gone.exitCode).toBe(0);
    expect((await flux.flux('list')).stdout).not.toContain(project.hash);
    expect((await flux.flux('list', '--removed')).stdout).toContain(project.hash);
    const list = await flux.flux('backup', 'list', '--hash', project.hash);
    expect(list.stdout).toContain('Verification:             Restore-verified');
    const file = join(flux.folder, `${mode}.dump`);
    expect((await flux.flux('backup', 'download', '--hash', project.hash, '--latest', '-o', file)).exitCode).toBe(0);
    expect((await flux.flux('backup', 'verify', '--hash', project.hash, '--latest')).exitCode).toBe(0);
    expect((await nuke('--yes')).exitCode).toBe(4);
  });

  it('opens for an override, warns, and writes it down', async () => {
    const slug = mode === 'v1_dedicated' ? 'forced' : 'forced-tenant';
    const other = await flux.createProject(slug, mode);
    const forced = await flux.flux(
      'nuke',
      slug,
      '--hash',
      other.hash,
      '--yes',
      '--skip-backup-check',
      '--reason',
      'test data',
      '--no-input',
    );
    expect(forced.exitCode).toBe(0);
    expect(forced.stderr).toContain('Warning:');
    const audit = await catalog(
      `select details->>'reason' from audit_events e join projects p on p.id = e.project_id where p.hash = '${other.hash}' and action = 'gate.override'`,
    );
    expect(audit.trim()).toBe('test data');
  });
});
