import { describe, expect, it } from 'vitest';
import { encodeForSigning, RECEIPT_PREDICATE_TYPE, type ReceiptStatement, STATEMENT_TYPE } from './receipt.ts';
import { findStatementProblem } from './receipt-shape.ts';

const bytes = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));
const A = 'a'.repeat(64);
const B = 'b'.repeat(64);
const ID = '0197a5c2-5d1e-7c3a-9b1f-2f6a3c4d5e6f';

const STATEMENT: ReceiptStatement = {
  _type: STATEMENT_TYPE,
  subject: [{ name: `0a1b2c3-${ID}.dump`, digest: { sha256: A } }],
  predicateType: RECEIPT_PREDICATE_TYPE,
  predicate: {
    verificationId: ID,
    backupId: ID,
    project: { slug: 'bloom', hash: '0a1b2c3' },
    engine: 'v1_dedicated',
    sequence: 2,
    previousReceiptSha256: B,
    verdict: 'restorable',
    artifact: { sha256: A, sizeBytes: 10, readSha256: A, readSizeBytes: 10 },
    manifestSha256: B,
    versions: { sourcePostgres: '15.18', disposablePostgres: '15.18', flux: '0.1.0' },
    sandbox: 'bubblewrap',
    compared: { tables: 1, rows: 2, objects: { index: 3 }, differences: { failure: 0, prerequisite: 1, notCompared: 0 } },
    startedAt: '2026-06-20T17:18:33.697Z',
    finishedAt: '2026-06-20T17:18:34.697Z',
    durationMs: 1000,
    phasesMs: { read: 10 },
  },
};
const changed = (change: object) => ({ ...STATEMENT, predicate: { ...STATEMENT.predicate, ...change } });

describe('the bytes that are signed', () => {
  it('are those of the test vector in the DSSE specification', () => {
    expect(encodeForSigning('http://example.com/HelloWorld', bytes('hello world'))).toEqual(
      bytes('DSSEv1 29 http://example.com/HelloWorld 11 hello world'),
    );
  });

  it('keep type and body apart whatever they hold', () => {
    expect(encodeForSigning('a 1 b', bytes(''))).not.toEqual(encodeForSigning('a', bytes('b')));
  });

  it('refuse a type that is not ASCII, whose length would be another in bytes', () => {
    expect(() => encodeForSigning('ä', bytes(''))).toThrow(RangeError);
  });
});

describe('the statement of a receipt', () => {
  it('is accepted as it is written, and with members that a later version adds', () => {
    expect(findStatementProblem(STATEMENT)).toBeUndefined();
    expect(findStatementProblem(changed({ more: true }))).toBeUndefined();
  });

  it.each([
    ['something that is not an object', null, 'statement is not an object'],
    ['another kind of statement', { ...STATEMENT, predicateType: 'https://slsa.dev/provenance/v1' }, 'statement.predicateType is not'],
    ['two subjects', { ...STATEMENT, subject: [...STATEMENT.subject, ...STATEMENT.subject] }, 'exactly one artifact'],
    ['another verdict', changed({ verdict: 'fine' }), 'statement.predicate.verdict is not a verdict'],
    ['a negative count', changed({ compared: { ...STATEMENT.predicate.compared, rows: -1 } }), 'compared.rows is not a count'],
    ['a missing digest', changed({ manifestSha256: undefined }), 'manifestSha256 is not a SHA-256'],
    ['a time that is none', changed({ finishedAt: 'yesterday' }), 'finishedAt is not a time'],
    ['a gap in the chain', changed({ previousReceiptSha256: null }), 'only the first receipt'],
    ['a subject of another backup', { ...STATEMENT, subject: [{ name: 'x.dump', digest: { sha256: A } }] }, 'not named after the backup'],
    [
      'a subject that was not read',
      changed({ artifact: { ...STATEMENT.predicate.artifact, readSha256: B } }),
      'not the artifact that was read',
    ],
  ])('is refused with %s', (_, value, problem) => {
    expect(findStatementProblem(value)).toContain(problem);
  });

  it('is refused when its verdict is restorable although the restore differed or other bytes were read', () => {
    const differed = { ...STATEMENT.predicate.compared, differences: { failure: 1, prerequisite: 0, notCompared: 0 } };
    expect(findStatementProblem(changed({ compared: differed }))).toContain('its verdict is restorable, but the restore differed');
    expect(findStatementProblem(changed({ compared: differed, verdict: 'failed' }))).toBeUndefined();
    expect(findStatementProblem(changed({ artifact: { ...STATEMENT.predicate.artifact, sha256: B } }))).toContain(
      'the bytes read are not the recorded ones',
    );
  });
});
