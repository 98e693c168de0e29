import { createHash, createPublicKey, randomBytes, verify } from 'node:crypto';
import type { VerificationProof } from '@flux/contract/backup';
import type { BackupId, ProjectHash, ProjectId, UserId, VerificationId } from '@flux/contract/ids';
import { encodeForSigning, type ReceiptEnvelope, type ReceiptStatement } from '@flux/contract/receipt';
import { findStatementProblem } from '@flux/contract/receipt-shape';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { publishKeys, rotateSigningKey } from '../../src/backups/receipt/keys.ts';
import { findBackupReceipt, listProjectReceipts } from '../../src/backups/receipt/read.ts';
import { recordReceipt } from '../../src/backups/receipt/record.ts';
import { insertBackup } from '../../src/catalog/backups.ts';
import { type Catalog, openCatalog } from '../../src/catalog/open.ts';
import { insertProject } from '../../src/catalog/projects.ts';
import { ensureUser } from '../../src/catalog/tokens.ts';
import { insertVerification } from '../../src/catalog/verifications.ts';
import { systemClock } from '../../src/system/clock.ts';
import { createSeal } from '../../src/system/seal.ts';
import { uuidv7 } from '../../src/system/uuid.ts';
import { startCluster, type TestCluster } from '../postgres/cluster.ts';

const DIGEST = 'a'.repeat(64);
const ROTTEN = 'b'.repeat(64);
const SYSTEM = { userId: null, tokenId: null };

describe('receipts in the catalog', () => {
  let cluster: TestCluster;
  let catalog: Catalog;
  let owner: UserId;
  const seal = createSeal(randomBytes(32));
  const ring = () => ({ catalog, seal, clock: systemClock, fluxVersion: '9.9.9' });

  beforeAll(async () => {
    cluster = await startCluster();
    await cluster.createDatabase('catalog');
    catalog = await connectCatalog();
    owner = await ensureUser(catalog.db, uuidv7(new Date()) as UserId, 'owner');
  });
  afterAll(async () => {
    await catalog?.close();
    await cluster?.[Symbol.asyncDispose]();
  });

  const connectCatalog = () => {
    const { host, port, user, database } = cluster.superuser('catalog');
    return openCatalog({ host, port, user, database }, () => undefined);
  };
  const makeBackup = async () => {
    const now = new Date();
    const project = await insertProject(catalog.db, {
      id: uuidv7(now) as ProjectId,
      owner_id: owner,
      slug: `bloom-${randomBytes(4).toString('hex')}`,
      hash: randomBytes(4).toString('hex').slice(0, 7) as ProjectHash,
      engine: 'v1_dedicated',
      lifecycle: 'active',
      sealed_secrets: Buffer.from('x'),
      worker_id: null,
    });
    const backup = await insertBackup(catalog.db, {
      id: uuidv7(now) as BackupId,
      project_id: project.id,
      kind: 'project_db',
      engine: 'v1_dedicated',
      status: 'complete',
      note: null,
      created_at: now,
      completed_at: now,
      size_bytes: 10,
      sha256: DIGEST,
      manifest_sha256: DIGEST,
      postgres_version: '15.18',
    });
    return { project, backup };
  };
  type Made = Awaited<ReturnType<typeof makeBackup>>;

  /** Records a verdict the way the worker does; `before` runs in its transaction, ahead of the receipt. */
  const record = async ({ backup }: Made, change: Partial<VerificationProof> = {}, before: () => Promise<void> = async () => undefined) => {
    const startedAt = new Date();
    const proof: VerificationProof = {
      verificationId: uuidv7(startedAt),
      backupId: backup.id,
      verdict: 'restorable',
      summary: 'row 7 of secret_table differs',
      postgresVersion: '15.18',
      sandbox: 'bubblewrap',
      artifactSha256: DIGEST,
      tablesCompared: 2,
      rowsCompared: 3,
      bytesRead: 10,
      objectsCompared: { index: 4 },
      differences: [],
      toolOutput: null,
      durationMs: 12,
      phasesMs: { read: 1 },
      receiptId: null,
      ...change,
    };
    const id = proof.verificationId as VerificationId;
    await catalog.db.transaction().execute(async (db) => {
      const ended = { verdict: proof.verdict, started_at: startedAt, finished_at: new Date() };
      await insertVerification(db, { id, backup_id: backup.id, proof, ...ended });
      await before();
      await recordReceipt(db, ring(), { backup, proof, startedAt, finishedAt: ended.finished_at });
    });
    return id;
  };
  const chainOf = async ({ project }: Made) => [...(await listProjectReceipts(catalog.db, project, {})).receipts].reverse();

  it('is signed by the published key over a statement that has its shape', async () => {
    const made = await makeBackup();
    await record(made);

    const envelope = await findBackupReceipt(catalog.db, made.project, made.backup.id);
    const [key] = (await publishKeys(ring())).keys;
    const statement = readStatement(envelope);

    expect(isSignedBy(envelope, key?.pem ?? '')).toBe(true);
    expect(envelope.signatures.map(({ keyid }) => keyid)).toEqual([key?.kid]);
    expect(findStatementProblem(statement)).toBeUndefined();
    expect(statement).toMatchObject({
      subject: [{ name: `${made.project.hash}-${made.backup.id}.dump`, digest: { sha256: DIGEST } }],
      predicate: { verdict: 'restorable', sequence: 1, previousReceiptSha256: null, versions: { flux: '9.9.9', sourcePostgres: '15.18' } },
    });
    expect(JSON.stringify(statement)).not.toContain('secret_table');
  });

  it('says failed of the very bytes that were read, and not of those that were recorded', async () => {
    const made = await makeBackup();
    await record(made, { verdict: 'failed', artifactSha256: ROTTEN, bytesRead: 9 });
    await record(made, { verdict: 'inconclusive', artifactSha256: null, bytesRead: 0, postgresVersion: null, sandbox: null });

    const statements = (await chainOf(made)).map(({ envelope }) => readStatement(envelope));

    expect(statements.map(findStatementProblem)).toEqual([undefined, undefined]);
    expect(statements.map(({ subject, predicate }) => [predicate.verdict, subject[0].digest.sha256])).toEqual([
      ['failed', ROTTEN],
      ['inconclusive', DIGEST],
    ]);
  });

  it('follows the receipt before it without a gap, also when verifications end at once', async () => {
    const made = await makeBackup();
    const other = await makeBackup();
    await Promise.all(Array.from({ length: 8 }, (_, index) => record(index % 4 === 3 ? other : made)));

    const chain = await chainOf(made);

    expect(chain.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(chain.map(({ previousSha256 }) => previousSha256)).toEqual([null, ...chain.slice(0, -1).map(({ sha256 }) => sha256)]);
    for (const { envelope, sha256, previousSha256, sequence } of chain) {
      expect(createHash('sha256').update(Buffer.from(envelope.payload, 'base64')).digest('hex')).toBe(sha256);
      expect(readStatement(envelope).predicate).toMatchObject({ sequence, previousReceiptSha256: previousSha256 });
    }
    expect((await chainOf(other)).map(({ sequence }) => sequence)).toEqual([1, 2]);
  });

  it('gives the newest one of a backup, a certain one when asked, and pages of the chain', async () => {
    const made = await makeBackup();
    const first = await record(made);
    const second = await record(made);
    const of = (verification?: VerificationId) => findBackupReceipt(catalog.db, made.project, 'latest', verification).then(readStatement);

    expect((await of()).predicate.verificationId).toBe(second);
    expect((await of(first)).predicate.verificationId).toBe(first);
    await expect(of(uuidv7(new Date()) as VerificationId)).rejects.toMatchObject({ code: 'not_found' });
    const newest = await listProjectReceipts(catalog.db, made.project, { limit: 1 });
    const older = await listProjectReceipts(catalog.db, made.project, { limit: 1, cursor: newest.nextCursor ?? '' });
    expect([newest, older].map(({ receipts }) => receipts[0]?.verificationId)).toEqual([second, first]);
    expect(older.nextCursor).toBeNull();
  });

  it('tells a backup that was never verified from one that has no such verification', async () => {
    const { project, backup } = await makeBackup();
    await expect(findBackupReceipt(catalog.db, project, backup.id)).rejects.toMatchObject({
      code: 'not_found',
      message: expect.stringContaining('no verification of it has ended'),
    });
  });

  it('is signed with the new key after a rotation, while the old key stays published', async () => {
    const made = await makeBackup();
    await record(made);
    const [before] = (await publishKeys(ring())).keys;
    const rotated = await rotateSigningKey(ring(), SYSTEM);
    await record(made);

    const [first, second] = (await chainOf(made)).map(({ envelope }) => envelope as ReceiptEnvelope);
    const [active, retired] = rotated.keys;

    expect(active?.retiredAt).toBeNull();
    expect(retired).toMatchObject({ kid: before?.kid, pem: before?.pem, retiredAt: expect.any(String) });
    expect([isSignedBy(first as ReceiptEnvelope, retired?.pem ?? ''), isSignedBy(second as ReceiptEnvelope, active?.pem ?? '')]).toEqual([
      true,
      true,
    ]);
    expect([isSignedBy(first as ReceiptEnvelope, active?.pem ?? ''), isSignedBy(second as ReceiptEnvelope, retired?.pem ?? '')]).toEqual([
      false,
      false,
    ]);
  });

  it('is signed by a key that was not retired meanwhile, however rotations and verifications meet', async () => {
    const made = await makeBackup();
    const work = Array.from({ length: 12 }, (_, index) => (index % 3 === 2 ? rotateSigningKey(ring(), SYSTEM) : record(made)));
    await Promise.all(work);

    const { keys } = await publishKeys(ring());
    expect(keys.filter(({ retiredAt }) => retiredAt === null)).toHaveLength(1);
    for (const { envelope } of await chainOf(made)) {
      const key = keys.find(({ kid }) => kid === envelope.signatures[0]?.keyid);
      expect(isSignedBy(envelope, key?.pem ?? '')).toBe(true);
    }
  });

  it('makes one first key, also when many ask for it at once', async () => {
    await catalog.db.deleteFrom('signing_keys').execute();

    const sets = await Promise.all(Array.from({ length: 6 }, () => publishKeys(ring())));

    expect(new Set(sets.map(({ keys }) => keys.map(({ kid }) => kid).join())).size).toBe(1);
    expect(sets[0]?.keys).toHaveLength(1);
  });

  it('is not there when the verdict could not be recorded', async () => {
    const made = await makeBackup();
    const attempt = record(made, {}, () => Promise.reject(new Error('the catalog went away')));

    await expect(attempt).rejects.toThrow('the catalog went away');
    expect(await chainOf(made)).toEqual([]);
  });

  it('cannot be given a place in the chain that is taken', async () => {
    const made = await makeBackup();
    const first = await record(made);
    const copy = sql`insert into receipts (verification_id, project_id, seq, sha256, previous_sha256, envelope)
      select verification_id, project_id, seq, ${ROTTEN}, previous_sha256, envelope from receipts where verification_id = ${first}`;

    await expect(copy.execute(catalog.db)).rejects.toThrow(/duplicate key/);
  });

  it('says what to do when the key was sealed by another control plane, and goes on after a rotation', async () => {
    const made = await makeBackup();
    await publishKeys(ring());
    const stranger = { ...ring(), seal: createSeal(randomBytes(32)) };
    const proof = { verificationId: uuidv7(new Date()), differences: [] } as unknown as VerificationProof;
    const now = new Date();
    const attempt = catalog.db
      .transaction()
      .execute((db) => recordReceipt(db, stranger, { backup: made.backup, proof, startedAt: now, finishedAt: now }));

    await expect(attempt).rejects.toMatchObject({ code: 'volume_unusable', hint: expect.stringContaining('flux receipt rotate-key') });
    expect((await rotateSigningKey(stranger, SYSTEM)).keys[0]?.retiredAt).toBeNull();
    await rotateSigningKey(ring(), SYSTEM);
  });
});

function readStatement({ payload }: ReceiptEnvelope): ReceiptStatement {
  return JSON.parse(Buffer.from(payload, 'base64').toString('utf8')) as ReceiptStatement;
}

function isSignedBy({ payloadType, payload, signatures }: ReceiptEnvelope, pem: string): boolean {
  const signed = encodeForSigning(payloadType, Buffer.from(payload, 'base64'));
  return signatures.every(({ sig }) => verify(null, signed, createPublicKey(pem), Buffer.from(sig, 'base64')));
}
