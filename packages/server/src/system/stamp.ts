import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';

/** Signs texts that Flux keeps outside of the catalog, so that nobody without the secret key can make one. */
export interface Stamp {
  /** HMAC-SHA256 in lowercase hex. */
  of(text: string): string;
  isOf(text: string, stamp: string): boolean;
}

/**
 * @param key the secret key; what signs is derived from it
 * @param purpose keeps a stamp of one kind from being taken for that of another
 */
export function createStamp(key: Uint8Array, purpose: string): Stamp {
  const derived = Buffer.from(hkdfSync('sha256', key, '', `flux ${purpose}`, 32));
  const of = (text: string) => createHmac('sha256', derived).update(text).digest('hex');
  return {
    of,
    isOf: (text, stamp) => {
      const [wanted, given] = [Buffer.from(of(text)), Buffer.from(stamp)];
      return wanted.length === given.length && timingSafeEqual(wanted, given);
    },
  };
}
