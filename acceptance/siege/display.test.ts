import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import { type Flux, startFlux, type TestProject } from '../harness/flux.ts';
import { psql } from '../harness/postgres.ts';
import { siegeChapter } from './attack.ts';

const attack = siegeChapter('What the command prints');
/** Clears the screen, begins a line that Flux might have written, turns the direction of text, and does the same without ESC. */
const HOSTILE = 'x\u001b[2J\nLatest backup: fake\r\u202eb\u009b31m';
// A terminal acts on these; a line feed is judged by the line that it would begin.
const ACTS = /(?![\n\t])[\p{Cc}\p{Cf}\u2028\u2029]/u;
const FAKE = /^Latest backup: fake/m;

let flux: Flux;
let shop: TestProject;
beforeAll(async () => {
  flux = await startFlux({ env: { FLUX_VERIFY_STANDBY: 'off' } });
  shop = await flux.createProject('shop', 'v1_dedicated');
  const quoted = `"${HOSTILE}"`;
  await psql(shop.uri, `create table ${quoted} (${quoted} int, constraint ${quoted} check (${quoted} > 0)); create schema ${quoted};`);
  await psql(
    shop.uri,
    `comment on table ${quoted} is 'c ${HOSTILE}'; comment on database "${new URL(shop.uri).pathname.slice(1)}" is 'd ${HOSTILE}'`,
  );
  await flux.flux('token', 'create', HOSTILE, '--access', 'read');
  await flux.flux('backup', 'create', ...shop.flags, '--note', HOSTILE, '--verify');
});
afterAll(() => flux?.[Symbol.asyncDispose]());

attack(
  'Names, notes, comments and words of servers with escape codes and line feeds',
  'every command shows them and acts on none; --json stays valid',
  async () => {
    const bad = join(flux.folder, 'bad.sql');
    const raising = `do $$ begin raise warning '%', 'w ${HOSTILE}'; raise exception '%', 'e ${HOSTILE}'; end $$;`;
    writeFileSync(bad, raising);
    const warning = join(flux.folder, 'warning.sql');
    writeFileSync(warning, `do $$ begin raise warning '%', 'w ${HOSTILE}'; end $$;`);
    const strange = join(flux.folder, `strange${HOSTILE.replaceAll('/', '')}.sql`);
    writeFileSync(strange, 'select 1;');
    const commands = [
      ['list'],
      ['token', 'list'],
      ['audit'],
      ['doctor'],
      ['doctor', ...shop.flags],
      ['operation', 'list'],
      ['project', 'show', 'shop', '--hash', shop.hash],
      ['backup', 'list', ...shop.flags],
      ['backup', 'list', ...shop.flags, '--verbose'],
      ['backup', 'show', ...shop.flags, '--latest'],
      ['backup', 'verify', ...shop.flags, '--latest'],
      ['backup', 'receipt', ...shop.flags, '--latest'],
      ['migrations', 'list', ...shop.flags],
      ['extension', 'list', ...shop.flags],
      ['push', bad, ...shop.flags, '--mode', 'raw'],
      ['push', warning, ...shop.flags, '--mode', 'raw'],
      ['push', strange, ...shop.flags, '--mode', 'raw'],
      ['push', strange, ...shop.flags, '--plan'],
      ['push', join(flux.folder, `absent${HOSTILE}`), ...shop.flags],
      ['backup', 'import', strange, ...shop.flags],
      ['backup', 'restore', ...shop.flags, '--latest', '--table', HOSTILE],
      ['backup', 'show', ...shop.flags, '--id', HOSTILE],
      ['nuke', HOSTILE],
      [HOSTILE],
    ];
    let shown = 0;
    for (const command of commands) {
      const { stdout, stderr } = await flux.flux(...command);
      const text = `${stdout}\n${stderr}`;
      expect(ACTS.exec(text)?.index, `${command.join(' ')}\n${JSON.stringify(text)}`).toBeUndefined();
      // SQL is shown as it can be run, with the lines that it has, below its heading.
      expect(text.split('What the artifact leaves out, as SQL:')[0], command.join(' ')).not.toMatch(FAKE);
      if (text.includes('\\u001b[2J')) shown += 1;
      const json = await flux.flux(...command, '--json');
      expect(ACTS.exec(json.stdout + json.stderr)?.index, `${command.join(' ')} --json`).toBeUndefined();
      if (json.stdout.trim() !== '') JSON.parse(json.stdout);
    }
    const tokens = JSON.parse((await flux.flux('token', 'list', '--json')).stdout) as { name: string }[] | { tokens: { name: string }[] };
    expect(JSON.stringify(tokens)).toContain(JSON.stringify(HOSTILE).slice(1, -1));
    expect(shown).toBeGreaterThan(5);
    expect(flux.log()).not.toMatch(ACTS);
    return `${commands.length} commands, ${shown} of which showed it`;
  },
);

/** Words of Persian, Hebrew and of an editor that begins files and names with a BOM: nothing in them is meant to deceive. */
const HONEST = ['\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645', '\u05e9\u200f1', '\ufeffbom'] as const;

attack(
  'Names of files, tokens and notes that are written with invisible characters',
  'a push finds its rows in the ledger, with and without --json; what is recorded is what was given',
  async () => {
    const folder = join(flux.folder, 'honest', 'migrations');
    mkdirSync(folder, { recursive: true });
    const put = (name: string, sql: string) => writeFileSync(join(folder, name), sql);
    HONEST.forEach((word, at) => void put(`${word}_${at}.sql`, `create table honest${at} (id int);`));
    const repeatable = join(flux.folder, 'honest', `${HONEST[0]}.sql`);
    writeFileSync(repeatable, 'create or replace view honest as select 1 as a;');
    const push = (...args: string[]) => flux.flux('push', ...args, ...shop.flags);

    expect((await push(folder)).stdout).toContain('Done. 3 applied, 0 skipped.');
    expect((await push(folder)).stdout).toContain('Done. 0 applied, 3 skipped.');
    expect((await push(repeatable, '--mode', 'repeatable')).stdout).toContain('Done. 1 applied, 0 skipped.');
    // Alone and without a mode, it is what the ledger says.
    expect((await push(repeatable)).stdout).toContain('Done. 0 applied, 1 skipped.');
    expect(JSON.parse((await push(repeatable, '--json')).stdout)).toMatchObject({ applied: 0, skipped: 1 });

    HONEST.forEach((word, at) => void put(`${word}_${at}.sql`, `create table honest${at} (id int, edited int);`));
    put('!first.sql', 'create table never (id int);');
    for (const flags of [[], ['--json']]) {
      const edited = await push(folder, ...flags);
      expect(edited.stderr).toMatch(/3 migrations were edited after being applied\. Nothing was run\./);
      expect(ACTS.exec(edited.stderr)).toBeNull();
    }
    expect(await psql(shop.uri, "select to_regclass('never') is null")).toBe('t\n');

    for (const word of HONEST) {
      await flux.flux('backup', 'create', ...shop.flags, '--note', word);
      await flux.flux('token', 'create', word, '--access', 'read');
      const said = [await flux.flux('backup', 'list', ...shop.flags, '--json'), await flux.flux('token', 'list', '--json')];
      for (const { stdout } of said) expect(JSON.stringify(JSON.parse(stdout))).toContain(word);
      expect(ACTS.exec((await flux.flux('token', 'list')).stdout)).toBeNull();
    }
    return `${HONEST.length} words in names of files, of tokens, and in notes`;
  },
);
