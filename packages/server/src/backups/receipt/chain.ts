import { createHash } from 'node:crypto';
import type { ProjectId } from '@flux/contract/ids';
import { RECEIPTS_OF, receiptKey } from '../../blobs/artifact-keys.ts';
import type { BlobStore } from '../../blobs/store.ts';
import type { Catalog } from '../../catalog/open.ts';
import { listChain } from '../../catalog/receipts.ts';
import { readReceiptCopy } from './copy.ts';

const TIMEOUT_MS = 10_000;

/**
 * What is wrong with the chain of a project's receipts, each in a sentence: a missing or changed receipt, a link to another one than the
 * one before, and a copy in the store that says something else than the catalog. Signatures are for whoever has the receipts to check.
 */
export async function findChainProblems(
  { catalog, store }: { readonly catalog: Catalog; readonly store: BlobStore },
  projectId: ProjectId,
): Promise<readonly string[]> {
  const chain = await listChain(catalog.db, projectId);
  const problems: string[] = [];
  let before: { readonly seq: number; readonly sha256: string } | undefined;
  for (const { seq, sha256, previousSha256, payload } of chain) {
    const expected = (before?.seq ?? 0) + 1;
    if (seq !== expected)
      problems.push(seq === expected + 1 ? `Receipt ${expected} is missing.` : `Receipts ${expected} to ${seq - 1} are missing.`);
    else if (previousSha256 !== (before?.sha256 ?? null))
      problems.push(`Receipt ${seq} does not follow receipt ${expected - 1}, but another one.`);
    if (createHash('sha256').update(Buffer.from(payload, 'base64')).digest('hex') !== sha256)
      problems.push(`Receipt ${seq} has been changed.`);
    before = { seq, sha256 };
  }
  return [...problems, ...(await compareWithCopies(store, projectId, before))];
}

/** The newest copy tells whether the end of the chain was cut off, or was continued from an earlier receipt. */
async function compareWithCopies(
  store: BlobStore,
  projectId: ProjectId,
  end: { readonly seq: number; readonly sha256: string } | undefined,
): Promise<readonly string[]> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  let newest = 0;
  for await (const { key } of store.list(`${RECEIPTS_OF}${projectId}/`, signal)) {
    newest = Math.max(newest, Number(/\/(\d+)\.json$/.exec(key)?.[1] ?? 0));
  }
  const last = end?.seq ?? 0;
  if (newest > last) return [`The catalog ends with receipt ${last}; the backup store has a copy of receipt ${newest}.`];
  if (newest === 0 || newest < last) return [];
  const key = receiptKey({ projectId, sequence: last });
  const copy = await readReceiptCopy(store, key, signal);
  if (copy === undefined)
    return [
      `The copy of receipt ${last} in the backup store, ${key}, cannot be read. Move it away and restart the control plane, which writes it again.`,
    ];
  if (copy.sha256 === end?.sha256) return [];
  return [
    `There are two different receipts ${last}: that of the catalog, and the copy in the backup store. One was removed and its number given again.`,
  ];
}
