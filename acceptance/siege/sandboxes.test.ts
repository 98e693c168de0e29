import { chownSync } from 'node:fs';
import { describe, expect } from 'vitest';
import { processesOf, startFlux } from '../harness/flux.ts';
import { run } from '../harness/process.ts';
import { leaveOut, needsSandbox } from '../harness/sandbox.ts';
import { siegeChapter } from './attack.ts';

const attack = siegeChapter('Sandboxes of verifications');
/** An account that is not root, and not that of Postgres either. */
const NOBODY = 65534;
/** Uses memory without end, but only where a backup is restored. */
const BOMB = `
  create function public.bomb(id int) returns boolean language plpgsql as $$
  declare text text := 'x'; kept text[] := '{}';
  begin
    if current_database() <> 'flux_restore' then return true; end if;
    for i in 1..23 loop text := text || text; end loop;
    loop kept := kept || text; end loop;
  end $$;
  create table public.hostile (id int check (public.bomb(id)));
  insert into public.hostile values (1);`;

interface Combination {
  readonly kind: 'bubblewrap' | 'unshare';
  readonly account: 'root' | 'ordinary';
  readonly cgroups: 'shown' | 'hidden';
}

/** Every pair of two of the three by default; all combinations with FLUX_TEST_SANDBOX_MATRIX=all. */
const PAIRS: readonly Combination[] = [
  { kind: 'bubblewrap', account: 'root', cgroups: 'shown' },
  { kind: 'bubblewrap', account: 'ordinary', cgroups: 'hidden' },
  { kind: 'unshare', account: 'root', cgroups: 'hidden' },
  { kind: 'unshare', account: 'ordinary', cgroups: 'shown' },
];
const COMBINATIONS =
  process.env.FLUX_TEST_SANDBOX_MATRIX === 'all'
    ? PAIRS.flatMap((pair) => [pair, { ...pair, cgroups: pair.cgroups === 'shown' ? ('hidden' as const) : ('shown' as const) }])
    : PAIRS;

const isRoot = process.getuid?.() === 0;
const canHide = isRoot && (await run('unshare', ['--mount', 'true']).catch(() => undefined))?.exitCode === 0;

/** The command line of a server that runs as this account, and on a host without control groups. */
function wrap(command: readonly string[], { account, cgroups }: Combination): readonly string[] {
  const asAccount = isRoot && account === 'ordinary' ? ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'] : [];
  const script = 'mount -t tmpfs -o size=4k none /sys/fs/cgroup && exec "$@"';
  const hiding = cgroups === 'hidden' ? ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', script, 'sh'] : [];
  return [...hiding, ...asAccount, ...command];
}

for (const combination of COMBINATIONS) {
  const { kind, account, cgroups } = combination;
  const name = `${kind}, Flux as ${account === 'root' ? 'root' : 'an ordinary user'}, control groups ${cgroups}`;
  const isPossible = (account === 'ordinary' || isRoot) && (cgroups === 'shown' || canHide);
  const options = isPossible ? await needsSandbox(kind) : leaveOut(`${name}: needs root`);
  describe(name, options, () => {
    attack(
      `A dump that uses memory without end is verified (${name})`,
      'a good backup is restorable; this one is inconclusive for its memory, and nothing of it is left',
      async () => {
        await using flux = await startFlux({
          env: { FLUX_VERIFY_SANDBOX: kind, FLUX_VERIFY_MEMORY: '512MiB', FLUX_VERIFY_STANDBY: 'off' },
          prepare: (folder) => {
            if (isRoot && account === 'ordinary') chownSync(folder, NOBODY, NOBODY);
          },
          wrap: (command) => wrap(command, combination),
        });
        const shop = await flux.createProject('shop', 'v1_dedicated');
        await flux.push(shop, 'create table orders as select 1 as id;');
        const good = await flux.flux('backup', 'create', ...shop.flags, '--verify');
        expect(good.exitCode, good.stderr).toBe(0);
        await flux.push(shop, BOMB);
        const bad = await flux.flux('backup', 'create', ...shop.flags, '--verify');
        expect(bad.exitCode, bad.stderr).toBe(10);
        expect(`${bad.stdout}${bad.stderr}`).toMatch(/memory/i);
        expect(processesOf(`${flux.dataFolder}/disposable`)).toEqual([]);
        return `restorable, and then inconclusive (exit code ${bad.exitCode}) for its memory`;
      },
      120_000,
    );
  });
}
