import { expect, it } from 'vitest';
import { startFlux } from './harness/flux.ts';

it('pushes end when what the server says is shortened within a character, and the next one is served', async () => {
  await using flux = await startFlux({ env: { FLUX_VERIFY_STANDBY: 'off' } });
  const shop = await flux.createProject('shop', 'v2_shared');
  const saying = (statement: string) => flux.push(shop, `do $$ begin ${statement}; end $$`);
  await saying(`raise warning '%', 'x' || repeat('😀', 1000)`);
  await expect(saying(`raise exception '%', 'x' || repeat('😀', 8000)`)).rejects.toThrow();
  await flux.push(shop, 'create table t (id int)');
  const { stdout } = await flux.flux('audit', ...shop.flags, '--json');
  expect(stdout.match(/"project\.push"/g)).toHaveLength(2);
});
