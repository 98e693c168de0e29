import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { backUp } from './harness/backups.ts';
import { EVERYTHING } from './harness/comeback.ts';
import { type Flux, startFlux } from './harness/flux.ts';
import { pause } from './harness/process.ts';
import { cutPower } from './power/cut.ts';

let flux: Flux;
beforeAll(async () => {
  flux = await startFlux({ env: { FLUX_VERIFY_STANDBY: 'off' } });
});
afterAll(() => flux?.[Symbol.asyncDispose]());

// What replaces or removes what is there is in power/.
describe.each([
  { mode: 'v1_dedicated' as const, afterMs: 1500 },
  { mode: 'v2_shared' as const, afterMs: 700 },
])('power that is cut while a removed project comes back on $mode', ({ mode, afterMs }) => {
  it('leaves it removed or back, and it comes back when asked again', async () => {
    const project = await flux.createProject(`lost-${mode.slice(0, 2)}`, mode);
    await flux.push(project, EVERYTHING);
    await backUp(flux, project, '--verify');
    expect((await flux.flux('nuke', project.slug, '--hash', project.hash, '--yes')).exitCode).toBe(0);
    const command = ['backup', 'restore', '--hash', project.hash, '--latest', '--into', project.slug];

    const running = flux.flux(...command);
    await pause(afterMs);
    await cutPower(flux);
    await running;
    await flux.start();

    const isBack = (await flux.flux('list')).stdout.includes(project.hash);
    expect((await flux.flux('list', '--removed')).stdout.includes(project.hash)).toBe(!isBack);
    expect((await flux.flux(...command)).exitCode).toBe(isBack ? 1 : 0);
    expect((await flux.flux('backup', 'create', ...project.flags, '--verify')).exitCode).toBe(0);
  });
});
