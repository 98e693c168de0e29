import { afterAll, beforeAll, expect, it } from 'vitest';
import { connectPostgres } from '../../src/postgres/connect.ts';
import { scramVerifier } from '../../src/postgres/scram.ts';
import { quoteLiteral } from '../../src/postgres/sql/quote.ts';
import { startCluster, type TestCluster } from './cluster.ts';

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await startCluster();
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

const PASSWORDS = {
  'plain ASCII': 'pencil',
  'precomposed letters': 'pässwörd',
  'letters with combining marks': 'pa\u0308ssword',
  'a ligature and a full-width letter': '\ufb01sh \uff21',
  'a space that is not ASCII, and a soft hyphen': 'two\u00a0words\u00ad',
  'a control character beside a ligature': '\ufb01\u0007',
  'an emoji': 'key \u{1f511}',
  'only characters that are removed': '\u00ad\u200d',
};

it.each(Object.entries(PASSWORDS))('derives the same verifier as the server from %s', async (_, password) => {
  await using session = await connectPostgres(cluster.superuser(), { searchPath: 'role' });
  await session.run(`drop role if exists "by server"; create role "by server" login password ${quoteLiteral(password)}`);
  const [row] = await session.query<{ rolpassword: string }>(`select rolpassword from pg_authid where rolname = 'by server'`);
  const stored = row?.rolpassword ?? '';
  const salt = Buffer.from(/^SCRAM-SHA-256\$4096:([^$]+)\$/.exec(stored)?.[1] ?? '', 'base64');
  expect(scramVerifier(password, salt)).toBe(stored);
});
