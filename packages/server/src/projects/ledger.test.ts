import type { ProjectId, UserId } from '@flux/contract/ids';
import { expect, it } from 'vitest';
import type { ProjectRow } from '../catalog/projects.ts';
import type { EngineDirectory } from '../engines/directory.ts';
import { LedgerReads } from '../engines/ledger-reads.ts';
import { listMigrations } from './ledger.ts';

it('reads the ledger of a project twice at once at most, however many ask for it', async () => {
  let running = 0;
  let most = 0;
  const session = { [Symbol.asyncDispose]: async () => undefined };
  const ledger = {
    async list() {
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setTimeout(resolve, 2));
      running -= 1;
      return [];
    },
  };
  const engine = { ownerAccess: async () => ({ open: async () => session, ledger, observer: {} }) };
  const project = { id: 'one' as ProjectId, ownerId: 'owner' as UserId };
  const engines = { of: () => ({ engine, project }), ledgerReads: new LedgerReads() } as unknown as EngineDirectory;
  const row = { lifecycle: 'active' } as ProjectRow;
  const { signal } = new AbortController();

  await Promise.all(Array.from({ length: 12 }, () => listMigrations({ engines }, row, signal)));

  expect(most).toBe(2);
});
