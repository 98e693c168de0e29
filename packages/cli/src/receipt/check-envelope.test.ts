import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { encodeForSigning, RECEIPT_PAYLOAD_TYPE, RECEIPT_PREDICATE_TYPE, STATEMENT_TYPE } from '@flux/contract/receipt';
import { describe, expect, it } from 'vitest';
import { type CheckInput, checkReceipt } from './check-envelope.ts';
import { parseKeys } from './public-keys.ts';

const A = 'a'.repeat(64);
const ID = '0197a5c2-5d1e-7c3a-9b1f-2f6a3c4d5e6f';
const sha256 = (bytes: string) => createHash('sha256').update(bytes).digest('hex');

function makeKey() {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
  const x = publicKey.export({ format: 'jwk' }).x as string;
  const id = createHash('sha256').update(Buffer.from(x, 'base64url')).digest('hex').slice(0, 16);
  return { id, pem, x, publicKey, privateKey, trusted: parseKeys(pem) };
}
type Key = ReturnType<typeof makeKey>;
const OURS = makeKey();
const OTHER = makeKey();

function statement(change: object = {}) {
  return JSON.stringify({
    _type: STATEMENT_TYPE,
    subject: [{ name: `0a1b2c3-${ID}.dump`, digest: { sha256: A } }],
    predicateType: RECEIPT_PREDICATE_TYPE,
    predicate: {
      verificationId: ID,
      backupId: ID,
      project: { slug: 'bloom', hash: '0a1b2c3' },
      engine: 'v1_dedicated',
      sequence: 1,
      previousReceiptSha256: null,
      verdict: 'restorable',
      artifact: { sha256: A, sizeBytes: 10, readSha256: A, readSizeBytes: 10 },
      manifestSha256: A,
      versions: { sourcePostgres: '15.18', disposablePostgres: '15.18', flux: '0.1.0' },
      sandbox: null,
      compared: { tables: 1, rows: 2, objects: {}, differences: { failure: 0, prerequisite: 0, notCompared: 0 } },
      startedAt: '2026-06-20T17:18:33.697Z',
      finishedAt: '2026-06-20T17:18:34.697Z',
      durationMs: 1000,
      phasesMs: {},
      ...change,
    },
  });
}

function seal(payload: string, key: Key = OURS, change: object = {}): string {
  const sig = sign(null, encodeForSigning(RECEIPT_PAYLOAD_TYPE, Buffer.from(payload)), key.privateKey).toString('base64');
  return JSON.stringify({
    payloadType: RECEIPT_PAYLOAD_TYPE,
    payload: Buffer.from(payload).toString('base64'),
    signatures: [{ keyid: key.id, sig }],
    ...change,
  });
}
const check = (receipt: string, more: Partial<CheckInput> = {}) => checkReceipt({ receipt, keys: OURS.trusted, ...more });
const failures = (result: ReturnType<typeof check>) =>
  result.findings.filter(({ holds }) => holds === false).map(({ what, detail }) => `${what}: ${detail}`);

describe('checking a receipt', () => {
  it('holds with the right key, and tells what was not looked at', () => {
    const result = check(seal(statement()));

    expect(result).toMatchObject({ holds: true, keyId: OURS.id, sha256: sha256(statement()) });
    expect(result.findings.map(({ what, holds }) => [what, holds])).toEqual([
      ['signature', true],
      ['statement', true],
      ['artifact', null],
      ['manifest', null],
      ['chain', null],
    ]);
  });

  it('does not hold when any character of payload, signature or key name was changed', () => {
    const good = JSON.parse(seal(statement())) as { payload: string; signatures: [{ keyid: string; sig: string }] };
    const flip = (text: string, at: number) => `${text.slice(0, at)}${text[at] === 'A' ? 'B' : 'A'}${text.slice(at + 1)}`;
    const [{ keyid, sig }] = good.signatures;
    const tampered = [
      ...Array.from(good.payload, (_, at) => ({ ...good, payload: flip(good.payload, at) })),
      ...Array.from(sig, (_, at) => ({ ...good, signatures: [{ keyid, sig: flip(sig, at) }] })),
      ...Array.from(keyid, (_, at) => ({ ...good, signatures: [{ keyid: flip(keyid, at), sig }] })),
    ];
    const held = tampered.filter((receipt) => check(JSON.stringify(receipt)).holds);

    expect(tampered.length).toBeGreaterThan(1000);
    expect(held).toEqual([]);
  });

  it('does not hold with another key, even when the receipt claims to be signed by ours', () => {
    const forged = seal(statement(), OTHER).replace(OTHER.id, OURS.id);

    expect(failures(check(seal(statement(), OTHER)))[0]).toContain(`signed by ${OTHER.id}, not by a key that you trust (${OURS.id})`);
    expect(failures(check(forged))[0]).toContain('something was changed');
  });

  it('tells nothing of a content that is not signed', () => {
    expect(check(seal(statement(), OTHER))).toMatchObject({ holds: false, statement: null, sha256: null, keyId: null });
  });

  it('does not hold when our key signed something else', () => {
    expect(failures(check(seal('{"_type":"other"}')))).toEqual([expect.stringContaining('statement: statement._type is not')]);
    expect(failures(check(seal('no json')))).toEqual(['statement: the payload is not JSON']);
    expect(failures(check(seal(statement(), OURS, { payloadType: 'text/plain' })))[0]).toContain('not of type');
  });

  it.each(['', '{', 'null', '[]', '7', '{}', '{"payload":"AA==","signatures":[null],"payloadType":"application/vnd.in-toto+json"}'])(
    'does not hold, and does not break, for %j',
    (text) => {
      expect(check(text).holds).toBe(false);
    },
  );

  it('accepts URL-safe base64, as DSSE asks for, and a second signature beside ours', () => {
    const receipt = JSON.parse(seal(statement())) as { payload: string; signatures: { keyid: string; sig: string }[] };
    const other = JSON.parse(seal(statement(), OTHER)) as typeof receipt;
    const urlSafe = (text: string) => text.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
    const both = [...other.signatures, ...receipt.signatures.map(({ keyid, sig }) => ({ keyid, sig: urlSafe(sig) }))];

    expect(check(JSON.stringify({ ...receipt, payload: urlSafe(receipt.payload), signatures: both })).holds).toBe(true);
  });

  it('compares artifact and manifest', () => {
    const receipt = seal(statement());
    const wrong = { path: 'x', sha256: 'b'.repeat(64) };

    expect(check(receipt, { artifact: { path: 'x', sha256: A }, manifest: { path: 'y', sha256: A } }).holds).toBe(true);
    expect(failures(check(receipt, { artifact: wrong }))).toEqual([expect.stringContaining('artifact: x has the SHA-256 bbb')]);
    expect(failures(check(receipt, { manifest: wrong }))).toEqual([expect.stringContaining('manifest: x has the SHA-256 bbb')]);
  });

  describe('in its chain', () => {
    const first = statement();
    const second = statement({ sequence: 2, previousReceiptSha256: sha256(first) });

    it('holds behind the receipt that it names, across a change of keys', () => {
      const keys = [...OURS.trusted, ...OTHER.trusted];
      expect(check(seal(second, OTHER), { previous: seal(first), keys }).holds).toBe(true);
    });

    it.each([
      ['another receipt', seal(second), seal(statement({ durationMs: 1 })), 'it follows the receipt'],
      ['one of another key', seal(second), seal(first, OTHER), 'the previous receipt is not valid'],
      ['anything, when it is the first', seal(first), seal(first), 'so it has no previous one'],
      ['one that is not the one before', seal(statement({ sequence: 3, previousReceiptSha256: sha256(first) })), seal(first), 'receipt 3'],
    ])('does not hold behind %s', (_, receipt, previous, problem) => {
      expect(failures(check(receipt, { previous }))).toEqual([expect.stringContaining(problem)]);
    });
  });
});

describe('public keys', () => {
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: OURS.x };
  it.each([
    ['PEM', OURS.pem],
    ['PEM with a line before it', `Key 12, signs now\n${OURS.pem}`],
    ['a JWK', JSON.stringify(jwk)],
    [
      'a JWK set with a key of another sort',
      JSON.stringify({
        keys: [
          { kty: 'RSA', n: 'x', e: 'AQAB' },
          { ...jwk, kid: 'ignored' },
        ],
      }),
    ],
    ['base64 of the raw key', Buffer.from(OURS.x, 'base64url').toString('base64')],
    ['URL-safe base64 of the raw key', OURS.x],
    ['base64 of the SPKI', OURS.publicKey.export({ type: 'spki', format: 'der' }).toString('base64')],
  ])('are read from %s', (_, text) => {
    expect(parseKeys(text).map(({ id }) => id)).toEqual([OURS.id]);
  });

  it('are read all from a file with several', () => {
    expect(parseKeys(OURS.pem + OTHER.pem).map(({ id }) => id)).toEqual([OURS.id, OTHER.id]);
  });

  it('are not found in what holds none, nor in a private key', () => {
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ type: 'spki', format: 'pem' }).toString();
    const own = OURS.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    for (const text of ['', '{', '{}', '{"keys":[null,1]}', 'AAAA', 'not a key', rsa, own]) expect(parseKeys(text)).toEqual([]);
  });
});
