import { VerificationProof } from '@flux/contract/backup';
import { FluxError } from '@flux/contract/errors';
import { expect, it } from 'vitest';
import { parseStored, toStoredJson } from './stored-json.ts';

const proof: VerificationProof = {
  verificationId: 'v',
  backupId: 'b',
  verdict: 'restorable',
  summary: 'Restored and compared.',
  postgresVersion: '15.1',
  sandbox: 'bubblewrap',
  artifactSha256: 'aa',
  tablesCompared: 1,
  rowsCompared: 2,
  bytesRead: 3,
  objectsCompared: { index: 1 },
  differences: [],
  toolOutput: null,
  durationMs: 4,
  phasesMs: { restore: 3 },
  receiptId: 'v',
};

it('gives back what was stored', () => {
  expect(parseStored(VerificationProof, JSON.parse(JSON.stringify(proof)), 'A proof')).toEqual(proof);
});

it.each([
  [{ ...proof, rowsCompared: '2' }, /^A proof in the catalog cannot be read: rowsCompared: /],
  [{ ...proof, verdict: 'fine' }, /^A proof in the catalog cannot be read: verdict: /],
  [null, /^A proof in the catalog cannot be read: /],
])('refuses what is something else, and names the place (%#)', (stored, message) => {
  const read = () => parseStored(VerificationProof, stored, 'A proof');
  expect(read).toThrow(FluxError);
  expect(read).toThrow(message);
});

it.each([
  ['half of a pair', { a: 'x\ud83d', b: '\ude00x' }, { a: 'x\ufffd', b: '\ufffdx' }],
  ['NUL', ['a\0b'], ['a\ufffdb']],
  ['a name of a member', { 'x\ud83d': 1 }, { 'x\ufffd': 1 }],
  ['what only looks like it', ['\\ud83d \\\\u0000 😀 "\\"', '\n\t\u0001'], ['\\ud83d \\\\u0000 😀 "\\"', '\n\t\u0001']],
])('writes nothing that Postgres refuses in JSON, and nothing else differently: %s', (_, value, read) => {
  expect(JSON.parse(toStoredJson(value))).toEqual(read);
});
