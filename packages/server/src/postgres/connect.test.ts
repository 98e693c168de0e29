import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isFluxError } from '@flux/contract/errors';
import { expect, it } from 'vitest';
import { connectPostgres } from './connect.ts';

it('tells the path of a socket to operators only', async () => {
  const host = mkdtempSync(join(tmpdir(), 'flux-no-server-'));
  try {
    const error = await connectPostgres({ host, port: 5432, user: 'u', database: 'd' }).catch((thrown: unknown) => thrown);
    if (!isFluxError(error)) throw error;
    expect(error.message).toBe('Postgres at a Unix socket, port 5432, does not accept a connection as u: connect ENOENT .s.PGSQL.5432');
    const { forOperators, ...details } = error.details;
    expect(forOperators).toEqual({ reason: `The socket is in ${host}.` });
    expect(JSON.stringify([error.message, error.hint, details])).not.toContain(host);
  } finally {
    rmSync(host, { recursive: true });
  }
});
