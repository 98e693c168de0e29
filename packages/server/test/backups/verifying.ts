import { randomBytes, randomUUID } from 'node:crypto';
import { FluxError } from '@flux/contract/errors';
import type { OperationId } from '@flux/contract/ids';
import type { SandboxLimits } from '../../src/backups/disposable-request.ts';
import type { ReadingDeps } from '../../src/backups/reading.ts';
import type { VerifyDeps } from '../../src/backups/verify/run.ts';
import { createWorkspace } from '../../src/blobs/workspace.ts';
import type { Task } from '../../src/operations/define.ts';
import type { Log } from '../../src/system/log.ts';
import { createSeal } from '../../src/system/seal.ts';
import { unrivalled } from './place.ts';

const silent = () => undefined;
/** Work outside of any operation, which nobody cancels. */
export const task: Task = { id: randomUUID() as OperationId, signal: new AbortController().signal, progress: silent, ...unrivalled };

/** What a verification uses, on a host where nothing can be restored: it comes as far as the bytes and the records tell. */
export function verifyingDeps(deps: ReadingDeps, folder: string): VerifyDeps {
  const open = () => Promise.reject(new FluxError('sandbox_unavailable', 'No sandbox works here.'));
  return {
    ...deps,
    log: { info: silent, warn: silent, error: silent, debug: silent } as unknown as Log,
    sandbox: {
      disposables: { sandbox: null, open, sweep: async () => undefined },
      limits: {} as SandboxLimits,
      restoreTimes: { minMs: 60_000, maxMs: 60_000 },
      workspace: createWorkspace({ folder: `${folder}/.workspace`, workerId: () => randomUUID() }),
    },
    signing: { seal: createSeal(randomBytes(32)), fluxVersion: '9.9.9' },
  };
}
