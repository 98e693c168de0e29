import { writeFileSync } from 'node:fs';
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
