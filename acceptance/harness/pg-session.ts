import { Client } from 'pg';

/** A session of an administrator that is there before something happens to its server. */
export interface AdminSession extends AsyncDisposable {
  /** The first column of the rows. */
  query(sql: string): Promise<readonly unknown[]>;
}

/** Opens a session. That the server ends it is no error before something is asked. */
export async function openSession(uri: string): Promise<AdminSession> {
  const client = new Client({ connectionString: uri });
  client.on('error', () => undefined);
  await client.connect();
  return {
    query: async (sql) => (await client.query<unknown[]>({ text: sql, rowMode: 'array' })).rows.map(([value]) => value),
    [Symbol.asyncDispose]: () => client.end().catch(() => undefined),
  };
}
