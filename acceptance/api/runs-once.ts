import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { psql } from '../harness/postgres.ts';
import { get, post, world } from './world.ts';

describe.each(['v1', 'v2'] as const)('a migration of a project on %s', (engine) => {
  const project = () => world[engine];
  const place = async (name: string) => {
    const table = `acct_${name.replaceAll('-', '_')}`;
    await world.flux.push(project(), `create table ${table} (bal int); insert into ${table} values (100);`);
    const number = createHash('sha256').update(name).digest().readUInt32BE();
    const file = { filename: `${number}_double.sql`, sql: `update ${table} set bal = bal * 2;\n` };
    mkdirSync(join(world.flux.folder, name, 'db'), { recursive: true });
    writeFileSync(join(world.flux.folder, name, 'db', file.filename), file.sql);
    return {
      folder: `./${name}/db`,
      path: `./${name}/db/${file.filename}`,
      filename: file.filename,
      number: String(number),
      balance: async () => (await psql(project().uri, `select bal from ${table}`)).trim(),
      rows: async () =>
        ((await get(`/projects/${project().hash}/migrations`)).body.applied as { version: string; filename: string }[]).filter(
          ({ filename }) => filename === file.filename,
        ),
      /** As another client sends it, which has its own spelling of versions. */
      send: (version: string, sql = file.sql) =>
        post('/push', {
          slug: project().slug,
          hash: project().hash,
          sql,
          migration: { version, filename: file.filename, checksum: createHash('sha256').update(sql).digest('hex') },
        }),
    };
  };
  const push = (...args: string[]) => world.flux.flux('push', ...args, ...project().flags);

  it('runs once when its file is pushed alone, and then with its folder', async () => {
    const file = await place('alone');
    const alone = await push(file.path);
    expect(alone.stdout).toBe(`Flux migrations\n→ ${file.filename} applying...\n✓ ${file.filename} applied\nDone. 1 applied, 0 skipped.\n`);
    expect((await push(file.folder)).stdout).toContain(`✓ ${file.filename} already applied\nDone. 0 applied, 1 skipped.\n`);
    expect((await push(file.path)).stdout).toContain('already applied');
    expect((await push(file.path, '--dry-run')).stdout).toContain('already applied');
    expect(await file.balance()).toBe('200');
    expect(await file.rows()).toMatchObject([{ version: file.number }]);

    const raw = await push(file.path, '--mode', 'raw');
    expect(raw.stderr).toContain(`${file.filename} is not in the ledger: every push of it, alone or with its folder, runs it again.\n`);
    expect(await file.balance()).toBe('400');
  });

  it('runs once when another client has recorded it under the name of its file', async () => {
    const file = await place('theirs');
    expect(await file.send(file.filename)).toMatchObject({ status: 200, body: { ok: true } });
    expect((await push(file.folder, '--plan')).stdout).toContain('Plan: 0 to apply, 1 to skip.');
    expect((await push(file.folder)).stdout).toContain('Done. 0 applied, 1 skipped.\n');
    expect((await push(file.path)).stdout).toContain('Done. 0 applied, 1 skipped.\n');
    expect(await file.balance()).toBe('200');
    expect(await file.rows()).toMatchObject([{ version: file.filename }]);
  });

  it('runs once when another client comes after ours, with any spelling', async () => {
    const file = await place('ours');
    expect((await push(file.folder)).exitCode).toBe(0);
    for (const version of [file.filename, file.number, `000${file.number}`, 'checked-out'])
      expect(await file.send(version)).toMatchObject({ status: 200, body: { ok: true, skipped: true } });
    expect(await file.balance()).toBe('200');
    expect(await file.rows()).toMatchObject([{ version: file.number }]);
  });

  it('is a conflict when it was edited since, whoever has recorded it', async () => {
    const file = await place('edited');
    expect((await file.send(file.filename)).status).toBe(200);
    const edited = 'create table never (id int);\n';
    writeFileSync(join(world.flux.folder, file.path), edited);
    const pushed = await push(file.folder);
    expect(pushed.stderr).toContain(`${file.filename}: applied with checksum `);
    expect(pushed.exitCode).toBe(1);
    expect(await file.send(`0${file.number}`, edited)).toMatchObject({ status: 409, body: { code: 'migration_conflict' } });
    expect(await psql(project().uri, `select count(*) from pg_class where relname = 'never'`)).toBe('0\n');
  });
});
