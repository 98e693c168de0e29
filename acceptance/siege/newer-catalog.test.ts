import { afterAll, beforeAll, expect } from 'vitest';
import { backUp } from '../harness/backups.ts';
import type { Flux } from '../harness/flux.ts';
import { type FluxWithCatalog, startFluxWithCatalog } from '../harness/outside-catalog.ts';
import { siegeChapter } from './attack.ts';

const attack = siegeChapter('A newer catalog');

let place: FluxWithCatalog;
let flux: Flux;
beforeAll(async () => {
  place = await startFluxWithCatalog();
  flux = place.flux;
}, 120_000);
afterAll(() => place?.[Symbol.asyncDispose]());

attack(
  'A server meets a catalog that one newer version has written',
  'it is served for reading, and every change is refused in a sentence',
  async () => {
    const shop = await flux.createProject('shop', 'v2_shared');
    await flux.push(shop, 'create table t (id int); insert into t values (1);');
    const id = await backUp(flux, shop, '--verify');
    expect(await flux.stop()).toBe(0);
    // As a newer version would leave it: one migration more, a column that this one does not know, and the word that it can be read.
    await place.query(`insert into catalog_migrations (name, timestamp) values ('999-later', '2030-01-01');
    alter table backups add column later text;
    update schema_version set version = 999`);
    const before = await place.query(`select md5(string_agg(t::text, '|')) from (select * from operations order by id) t`);

    await flux.start();
    expect((await flux.flux('list')).stdout).toContain('shop');
    expect((await flux.flux('backup', 'list', ...shop.flags)).stdout).toContain('Restore-verified');
    expect((await flux.flux('backup', 'show', ...shop.flags, '--id', id)).stdout).toContain('Restorable');
    expect((await flux.flux('doctor')).stdout).toContain('A newer Flux has written the catalog');
    const refusals = [
      ['backup', 'create', ...shop.flags],
      ['backup', 'verify', '--latest', ...shop.flags],
      ['create', 'other'],
      ['nuke', ...shop.flags, '--yes'],
      ['token', 'create', 'x'],
    ];
    for (const args of refusals) {
      const refused = await flux.flux(...args);
      expect(refused.exitCode, args.join(' ')).toBe(1);
      expect(refused.stderr).toContain('A newer Flux has written the catalog, so this version only reads it');
    }
    expect((await fetch(`${flux.url}/readyz`)).status).toBe(503);
    expect(await place.query(`select md5(string_agg(t::text, '|')) from (select * from operations order by id) t`)).toBe(before);
    expect(await flux.stop()).toBe(0);
    return `list, show and doctor answer; ${refusals.length} changes refused; the catalog is as it was`;
  },
);

attack('A catalog that this version cannot read', 'the server does not start, and says which version can', async () => {
  await place.query('update schema_version set readable_by = 999');
  const refusal = await place.refusal();
  expect(refusal).toContain('this version does not know 999-later');
  expect(refusal).toContain('Start the newer version again');
  return 'refused, with the name of the change that it does not know';
});
