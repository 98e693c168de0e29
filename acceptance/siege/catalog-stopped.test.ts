import { join } from 'node:path';
import { expect } from 'vitest';
import { type Flux, startFlux } from '../harness/flux.ts';
import { openSession } from '../harness/pg-session.ts';
import { postmasterPid, processesOfServer, signalAll } from '../harness/postmaster.ts';
import { pause, until } from '../harness/process.ts';
import { catalogUri } from '../harness/superuser.ts';
import { siegeChapter } from './attack.ts';

const attack = siegeChapter('A catalog that hangs');

const catalogOf = (flux: Flux) => join(flux.dataFolder, 'instances/catalog/data');
/** Status and time in milliseconds of an answer. */
const timed = async (path: string): Promise<{ status: number; ms: number }> => {
  const started = Date.now();
  const { status } = await fetch(path, { headers: {}, signal: AbortSignal.timeout(90_000) });
  return { status, ms: Date.now() - started };
};
const timedList = async (flux: Flux) => {
  const started = Date.now();
  const answer = await flux.api('/list', { signal: AbortSignal.timeout(90_000) });
  return { status: answer.status, ms: Date.now() - started };
};
/** Each request is answered before this. */
const ANSWER_MS = 30_000;

attack(
  'Every process of the catalog is stopped (SIGSTOP) for 15 s',
  `each request is answered, with 503, within ${ANSWER_MS / 1000} s; work goes on within 5 s of SIGCONT, without a restart`,
  async () => {
    await using flux = await startFlux();
    const shop = await flux.createProject('shop', 'v2_shared');
    const [pid, server] = [flux.pid(), postmasterPid(catalogOf(flux))];
    const stopped = processesOfServer(catalogOf(flux));
    signalAll(stopped, 'SIGSTOP');
    const until15 = pause(15_000);
    const answers = await Promise.all([timed(`${flux.url}/readyz`), ...Array.from({ length: 20 }, () => timedList(flux))]);
    const alive = await timed(`${flux.url}/healthz`);
    await until15;
    signalAll(stopped, 'SIGCONT');
    const back = Date.now();
    await until('it is ready', async () => (await timed(`${flux.url}/readyz`)).status === 200);
    const took = Date.now() - back;
    expect([...new Set(answers.map(({ status }) => status))]).toEqual([503]);
    const slowest = Math.max(...answers.map(({ ms }) => ms));
    expect(slowest).toBeLessThan(ANSWER_MS);
    expect(alive).toMatchObject({ status: 200 });
    expect(took).toBeLessThan(5000);
    const created = await flux.flux('backup', 'create', ...shop.flags);
    expect(created.exitCode, created.stderr).toBe(0);
    expect([flux.pid(), postmasterPid(catalogOf(flux))]).toEqual([pid, server]);
    return `${answers.length} answers within ${(slowest / 1000).toFixed(1)} s; ready again after ${took} ms`;
  },
  180_000,
);

attack(
  'Only the postmaster of the catalog is stopped for 15 s, and its sessions are ended',
  `each request is answered, with 503, within ${ANSWER_MS / 1000} s; ready within 5 s of SIGCONT, without a restart`,
  async () => {
    await using flux = await startFlux();
    const [pid, server] = [flux.pid(), postmasterPid(catalogOf(flux))];
    // Nobody can open a session while the postmaster is stopped, so this one is opened before.
    await using admin = await openSession(catalogUri(flux));
    process.kill(server, 'SIGSTOP');
    const until15 = pause(15_000);
    let answers: { status: number; ms: number }[];
    try {
      // Whatever is asked now needs a new session.
      await admin.query(`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'flux-catalog'`);
      const sessions = `select count(*)::int from pg_stat_activity where application_name = 'flux-catalog'`;
      await until('Flux has no session', async () => (await admin.query(sessions))[0] === 0);
      answers = await Promise.all([timed(`${flux.url}/readyz`), ...Array.from({ length: 20 }, () => timedList(flux))]);
      expect(await timed(`${flux.url}/healthz`)).toMatchObject({ status: 200 });
      await until15;
    } finally {
      process.kill(server, 'SIGCONT');
    }
    const back = Date.now();
    await until('it is ready', async () => (await timed(`${flux.url}/readyz`)).status === 200, 5000);
    const took = Date.now() - back;
    expect([...new Set(answers.map(({ status }) => status))]).toEqual([503]);
    const slowest = Math.max(...answers.map(({ ms }) => ms));
    expect(slowest).toBeLessThan(ANSWER_MS);
    expect((await flux.api('/list')).status).toBe(200);
    expect([flux.pid(), postmasterPid(catalogOf(flux))]).toEqual([pid, server]);
    return `${answers.length} answers within ${(slowest / 1000).toFixed(1)} s; ready again after ${took} ms`;
  },
  120_000,
);

attack(
  'SIGTERM while every process of the catalog is stopped',
  'the control plane ends within 60 s, and no process is left',
  async () => {
    await using flux = await startFlux();
    signalAll(processesOfServer(catalogOf(flux)), 'SIGSTOP');
    const started = Date.now();
    const exit = await Promise.race([flux.stop(), pause(150_000).then(() => 'it did not end')]);
    const took = Date.now() - started;
    expect(exit).toBe(0);
    expect(took).toBeLessThan(60_000);
    expect(processesOfServer(catalogOf(flux))).toEqual([]);
    return `ended with ${exit} after ${(took / 1000).toFixed(1)} s`;
  },
  200_000,
);
