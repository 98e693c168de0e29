import { existsSync, readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { processesOf } from '../harness/flux.ts';
import { psql } from '../harness/postgres.ts';
import { until } from '../harness/process.ts';
import { needsSandbox } from '../harness/sandbox.ts';
import { databaseOf, superuserUri } from '../harness/superuser.ts';
import { siegeChapter } from './attack.ts';
import {
  asSuperuser,
  BREAKING_OUT,
  folderOf,
  type Neighbours,
  READING,
  READING_FLUX,
  runInside,
  SIGNALS,
  serverOf,
  sqlAttacks,
  startNeighbours,
  succeed,
  succeedInSql,
} from './walls/attacks.ts';

const attack = siegeChapter('Walls between instances');
const ACCOUNTS = process.getuid?.() === 0 ? (['root', 'ordinary'] as const) : (['ordinary'] as const);

for (const kind of ['bubblewrap', 'unshare'] as const)
  for (const account of ACCOUNTS)
    describe(`${kind}, Flux as ${account}`, await needsSandbox(kind), () => {
      const where = `${kind}, Flux as ${account === 'root' ? 'root' : 'an ordinary user'}`;
      let all: Neighbours;
      beforeAll(async () => {
        all = await startNeighbours(kind, account);
      });
      afterAll(() => all?.flux[Symbol.asyncDispose]());

      attack(`A superuser of an instance reads on (${where})`, 'nothing of others, nothing of Flux', async () => {
        const attacks = { ...READING, ...READING_FLUX };
        expect(await succeed(all, attacks)).toEqual([]);
        const inSql = sqlAttacks(all);
        expect(await succeedInSql(all, inSql)).toEqual([]);
        return `0 of ${Object.keys(attacks).length + Object.keys(inSql).length} ways`;
      });

      attack(`It reaches for processes, shared memory and sockets of others (${where})`, 'there are none', async () => {
        expect(await succeed(all, SIGNALS)).toEqual([]);
        return `0 of ${Object.keys(SIGNALS).length} ways`;
      });

      attack(`It tries to break out or to change what others run (${where})`, 'refused', async () => {
        expect(await succeed(all, BREAKING_OUT)).toEqual([]);
        return `0 of ${Object.keys(BREAKING_OUT).length} ways`;
      });

      attack(`It kills every process that it can (${where})`, 'its own server starts again; no other has ended', async () => {
        const others = ['catalog', all.other].map((id) => serverOf(all, id));
        const own = serverOf(all, all.own);
        await runInside(all, 'kill -9 -1').catch(() => undefined);
        await until('its server is back', async () => ![0, own].includes(serverOf(all, all.own)));
        await until('it answers', () =>
          asSuperuser(all, 'select 1').then(
            () => true,
            () => false,
          ),
        );
        expect(['catalog', all.other].map((id) => serverOf(all, id))).toEqual(others);
        expect(await psql(all.victim.uri, 'select text from secrets')).toBe('of the victim\n');
        return `restarted; ${others.length} others untouched`;
      });

      attack(
        `The control plane is killed and starts again (${where})`,
        'the same servers, adopted; backup, verification, extension and nuke work',
        async () => {
          const { flux, attacker, own, other } = all;
          const before = ['catalog', own, other].map((id) => serverOf(all, id));
          expect(before).not.toContain(0);
          await flux.kill();
          await flux.start();
          expect(['catalog', own, other].map((id) => serverOf(all, id))).toEqual(before);
          const done = async (...args: string[]) => {
            const { exitCode, stderr } = await flux.flux(...args);
            expect(exitCode, stderr).toBe(0);
          };
          await done('extension', 'enable', 'citext', ...attacker.flags);
          await psql(superuserUri(flux, own, databaseOf(attacker)), 'create extension dblink');
          await done('backup', 'create', ...attacker.flags, '--verify');
          await done('nuke', attacker.slug, '--hash', attacker.hash, '--yes');
          expect(existsSync(folderOf(all, own))).toBe(false);
          expect(processesOf(folderOf(all, own))).toEqual([]);
          expect(readdirSync(`${flux.dataFolder}/run`)).not.toContain(own);
          return 'adopted, verified, removed without a trace';
        },
      );
    });

describe('without a wall', () => {
  attack('The same attacks where the wall is switched off', 'they succeed, which shows that it is the wall that stops them', async () => {
    const all = await startNeighbours('off', 'ordinary');
    await using _ = all.flux;
    const attacks = { ...READING, ...READING_FLUX, ...SIGNALS };
    const done = await succeed(all, attacks);
    expect(done.toSorted()).toEqual(Object.keys(attacks).toSorted());
    const said = await all.flux.flux('doctor');
    expect(said.stdout).toContain('wall between instances');
    return `${done.length} of ${Object.keys(attacks).length}; doctor says that there is none`;
  });
});
