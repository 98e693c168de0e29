import { FluxError } from '@flux/contract/errors';
import { VERDICT_EXIT_CODES } from '../backup/proof-text.ts';
import { defineCommand } from '../command.ts';
import { checkReceipt } from './check-envelope.ts';
import { digestFile, readReceipt } from './local-file.ts';
import { readTrustedKeys } from './public-keys.ts';
import { describeCheck } from './receipt-text.ts';

const NOT_VALID = 7;

/** `flux receipt check`: makes no request, and needs no login. */
export const command = defineCommand<{ key?: string; artifact?: string; manifest?: string; previous?: string }>({
  arguments: [{ name: '<file>', summary: 'the receipt, as `flux backup receipt` prints it' }],
  options: [
    { flags: '--key <key>', summary: 'public key that you trust: a file (PEM, JWK, JWK set, base64) or the key itself' },
    { flags: '--artifact <file>', summary: 'compare a downloaded artifact with the receipt' },
    { flags: '--manifest <file>', summary: 'compare a manifest with the receipt' },
    { flags: '--previous <file>', summary: 'compare with the previous receipt of the project' },
  ],
  examples: [
    'flux receipt check ./bloom.receipt.json --key ./keys.pem',
    'flux receipt check ./bloom.receipt.json --key ./keys.pem --artifact ./bloom.dump && pg_restore ...',
  ],
  about:
    'Needs no control plane and no network. A file with several keys trusts each of them.\n' +
    'Exit codes: 0 the receipt is valid and says restorable; 7 it is not valid, or says that the verification failed; 10 it is valid and\n' +
    'says inconclusive.',
  async run({ output, now }, { key, artifact, manifest, previous }, [path = '']) {
    if (key === undefined) {
      throw new FluxError('usage', 'A receipt proves nothing without a key that you trust: --key is missing.', {
        hint: 'Get it once over a channel that you trust, with `flux receipt keys > keys.pem`, then add --key keys.pem.',
      });
    }
    const keys = await readTrustedKeys(key);
    const check = checkReceipt({
      receipt: await readReceipt(path),
      keys,
      artifact: artifact === undefined ? undefined : await digestFile(artifact),
      manifest: manifest === undefined ? undefined : await digestFile(manifest),
      previous: previous === undefined ? undefined : await readReceipt(previous),
    });
    output.answer(describeCheck(check, now()), check);
    return check.holds && check.statement !== null ? VERDICT_EXIT_CODES[check.statement.predicate.verdict] : NOT_VALID;
  },
});
