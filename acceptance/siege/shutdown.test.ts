import { join } from 'node:path';
import { Client } from 'pg';
import { expect } from 'vitest';
import { backUp } from '../harness/backups.ts';
import { startFlux } from '../harness/flux.ts';
import { psql } from '../harness/postgres.ts';
import { processesOfServer, signalAll } from '../harness/postmaster.ts';
import { pause, until } from '../harness/process.ts';
import { catalogUri, databaseOf, instanceOf, superuserUri } from '../harness/superuser.ts';
import { siegeChapter } from './attack.ts';

const attack = siegeChapter('A stop while servers hang');

/** What docs/settings.md promises, and the time that a process takes to end. */
const BOUND_MS = 82_000;

/** Keeps a lock until it is disposed of, whatever state the server is in. */
async function hold(connectionString: string, what: string): Promise<Disposable> {
  const client = new Client({ connectionString });
  client.on('error', () => undefined);
  await client.connect();
  await client.query(`begin; lock table ${what} mode`);
  return { [Symbol.dispose]: () => (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy() };
}

attack(
  'SIGTERM after a creation, a removal and a backup have begun whose servers have stopped (SIGSTOP)',
  'the control plane ends within 80 s; the next start finds the servers and ends the work',
  async () => {
    await using flux = await startFlux();
    const doomed = await flux.createProject('doomed', 'v2_shared');
    const shop = await flux.createProject('shop', 'v1_dedicated');
    await flux.push(shop, 'create table orders (id int); insert into orders select generate_series(1, 100);');
    await backUp(flux, doomed, '--verify');
    const idOf = async (slug: string) => (await psql(catalogUri(flux), `select id from projects where slug = '${slug}'`)).trim();
    const ownServer = instanceOf(await idOf('shop'), 'v1_dedicated');
    const own = superuserUri(flux, ownServer, databaseOf(shop));
    const processes = () =>
      ['shared', ownServer].flatMap((instance) => processesOfServer(join(flux.dataFolder, 'instances', instance, 'data')));
    const waiting = async (uri: string) => Number(await psql(uri, `select count(*) from pg_stat_activity where wait_event_type = 'Lock'`));

    let work: Promise<unknown>;
    {
      using _orders = await hold(own, 'orders in access exclusive');
      work = Promise.all([
        flux.flux('create', 'half', '--mode', 'v2_shared'),
        flux.flux('nuke', ...doomed.flags, '--yes'),
        flux.flux('backup', 'create', ...shop.flags),
      ]);
      // The dump waits for a lock; the two others are wherever they have come to.
      await until('the dump waits', async () => (await waiting(own)) > 0, 30_000);
      signalAll(processes(), 'SIGSTOP');
    }
    const started = Date.now();
    const exit = await Promise.race([flux.stop(), pause(170_000).then(() => 'it did not end')]);
    const took = Date.now() - started;
    const said = flux.log().match(/it still waits for [^.]*/)?.[0];
    signalAll(processes(), 'SIGCONT');
    await work;
    expect(took).toBeLessThan(BOUND_MS);
    expect([0, 1]).toContain(exit);
    if (exit === 1) expect(said).toBeDefined();

    await flux.start();
    const unfinished = `select (select count(*) from projects where lifecycle in ('creating', 'removing'))
      + (select count(*) from operations where state in ('queued', 'running'))`;
    await until('all is ended', async () => (await psql(catalogUri(flux), unfinished)).trim() === '0', 60_000);
    expect(await psql(shop.uri, 'select count(*) from orders')).toBe('100\n');
    await backUp(flux, shop, '--verify');
    return `ended with ${exit} after ${(took / 1000).toFixed(1)} s${said === undefined ? '' : ` ("${said}")`}; the next start ended the rest`;
  },
  400_000,
);
