import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { TestProject } from '../harness/flux.ts';
import { psql } from '../harness/postgres.ts';
import type { Ended } from '../harness/process.ts';
import { expectError, isRoot, world } from './world.ts';

describe('push', () => {
  const place = (name: string, files: Record<string, string | Buffer>) => {
    mkdirSync(join(world.flux.folder, name), { recursive: true });
    for (const [file, text] of Object.entries(files)) writeFileSync(join(world.flux.folder, name, file), text);
    return name;
  };
  const ledger = async (project: TestProject) => {
    const listed = await world.flux.flux('migrations', 'list', ...project.flags, '--json');
    return (JSON.parse(listed.stdout) as { applied: { filename: string }[] }).applied.map(({ filename }) => filename);
  };

  it.each(['v1', 'v2'])('applies nothing of a file that fails in the middle, and shows statement and line (%s)', async (engine) => {
    const project = engine === 'v1' ? world.shop : world.other;
    const folder = place(`broken-${engine}`, {
      '001_good.sql': 'create table good (id int);\n',
      '002_bad.sql':
        'create table half (id int);\ninsert into half values (1);\n\ninsert into half\n  values (2, no_such_column);\ncreate table later (id int);\n',
      '003_never.sql': 'create table never (id int);\n',
    });
    const pushed = await world.flux.flux('push', `./${folder}`, ...project.flags);

    expect(pushed.stdout).toBe('Flux migrations\n→ 001_good.sql applying...\n✓ 001_good.sql applied\n→ 002_bad.sql applying...\n');
    expect(pushed.stderr).toMatch(/^Error: 002_bad\.sql:5:14: .*no_such_column.* \(SQLSTATE 42703\)$/m);
    expect(pushed.stderr).toContain('  5 |   values (2, no_such_column);\n');
    expect(pushed.stderr).toContain('Nothing of 002_bad.sql was applied.');
    expect(pushed.exitCode).toBe(1);
    expect(await ledger(project)).toEqual(['001_good.sql']);
    const tables = await psql(project.uri, `select relname from pg_class where relname in ('good', 'half', 'later', 'never') order by 1`);
    expect(tables).toBe('good\n');
  });

  it('stops before anything runs when an applied migration was edited', async () => {
    place('broken-v1', { '001_good.sql': 'create table good (id bigint);\n', '002_bad.sql': 'create table half (id int);\n' });
    const pushed = await world.flux.flux('push', './broken-v1', ...world.shop.flags);

    expectConflict(pushed);
    expect(await ledger(world.shop)).toEqual(['001_good.sql']);
    function expectConflict(ended: Ended): void {
      expect(ended.stderr).toMatch(
        /^Error: A migration was edited after being applied\. Nothing was run\.\n001_good\.sql: applied with checksum [0-9a-f]{64}, now [0-9a-f]{64}$/m,
      );
      expect(ended.stderr).toContain('Restore 001_good.sql as it was, and put the change into a new migration.');
      expect(ended.exitCode).toBe(1);
    }
  });

  it.each([
    ['a file that is not there', 'nowhere.sql', 1, /^Error: There is no file or folder .*nowhere\.sql\./m],
    ['a file that is a dump', 'dump.sql', 1, /^Error: .*dump\.sql (is not UTF-8 text|contains a zero byte)/m],
    ['an empty file', 'empty.sql', 1, /^Error: .*empty\.sql is empty\./m],
    ['a folder without SQL', 'nothing', 2, /^Error: There are no \.sql files in .*nothing\./m],
    ['a COMMIT of its own', 'commit.sql', 1, /^Error: commit\.sql:2/m],
    ['a command of psql', 'psql.sql', 1, /^Error: psql\.sql:1/m],
  ])('refuses %s', async (_what, name, exitCode, said) => {
    place('files', {
      'dump.sql': Buffer.from('PGDMP\u0000\u0001'),
      'empty.sql': '\n',
      'commit.sql': 'select 1;\ncommit;\n',
      'psql.sql': '\\i other.sql\n',
    });
    place('files/nothing', { 'readme.txt': 'no SQL' });
    const pushed = await world.flux.flux('push', `./files/${name}`, ...world.shop.flags);
    expect(pushed.stderr).toMatch(said);
    expect(pushed.exitCode).toBe(exitCode);
    expect(await ledger(world.shop)).toEqual(['001_good.sql']);
  });

  it('refuses a file that it may not read', async () => {
    const path = join(world.flux.folder, 'secret.sql');
    writeFileSync(path, 'select 1;', { mode: 0o000 });
    const line = `flux push ./secret.sql ${world.shop.flags.join(' ')}`;
    const pushed = await (isRoot ? world.flux.shell(`setpriv --reuid=65534 --regid=65534 --clear-groups ${line}`) : world.flux.shell(line));
    expectError(pushed, 1, `${path} cannot be read (EACCES).`, 'Check its permissions.');
  });
});
