// Tries each sandbox for restores, by the code of the server and as the account that it runs Postgres under.
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { adviseOnSandbox, readHostFacts } from '../../packages/server/src/instances/sandbox/advice.ts';
import { trySandbox } from '../../packages/server/src/instances/sandbox/sandbox.ts';
import { resolveAccount } from '../../packages/server/src/system/account.ts';

/** What a trial found. */
export interface SandboxTrial {
  /** Why a kind does not work here; null when it does. */
  readonly bubblewrap: string | null;
  readonly unshare: string | null;
  /** What would help when neither works. */
  readonly hint: string;
  readonly bubblewrapMayHelp: boolean;
}

export async function trySandboxes(): Promise<SandboxTrial> {
  const scaffold = mkdtempSync(join(tmpdir(), 'flux-sandbox-'));
  try {
    chmodSync(scaffold, 0o755);
    const account = await resolveAccount(process.env.FLUX_POSTGRES_ACCOUNT);
    const [bubblewrap = null, unshare = null] = await Promise.all(
      (['bubblewrap', 'unshare'] as const).map((kind) => trySandbox(kind, account, scaffold)),
    );
    return { bubblewrap, unshare, ...adviseOnSandbox(await readHostFacts()) };
  } finally {
    rmSync(scaffold, { recursive: true, force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.stdout.write(JSON.stringify(await trySandboxes()));
