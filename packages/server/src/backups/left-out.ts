import type { LeftOut, VerificationProof } from '@flux/contract/backup';
import { displaySafe } from '@flux/contract/display';

/** A list of backups carries these; more are counted. All of them are in the manifest and in the proof. */
const MAX_LISTED = 100;
const MAX_CHARACTERS = 1000;

/** What a backup's row keeps of the things that its restore does not bring back: safe to show, and of a limited size. */
export function boundLeftOut(all: readonly LeftOut[]): readonly LeftOut[] {
  const listed = all.slice(0, MAX_LISTED).map(({ kind, name, reason }) => ({ kind, name: bound(name), reason: bound(reason) }));
  if (all.length > listed.length)
    listed.push({
      kind: 'more',
      name: '',
      reason: `${all.length - listed.length} more are not listed here; \`flux backup verify\` lists them.`,
    });
  return listed;
}

/** The things that a verification found not to come back, each with the reason. */
export function leftOutOf({ differences }: Pick<VerificationProof, 'differences'>): readonly LeftOut[] {
  return differences
    .filter(({ judgement }) => judgement === 'left_out')
    .map(({ kind, name, expected, found }) => ({ kind, name, reason: [expected, found].filter((text) => text !== null).join(' ') }));
}

function bound(text: string): string {
  const safe = displaySafe(text);
  return safe.length <= MAX_CHARACTERS ? safe : `${safe.slice(0, MAX_CHARACTERS)}...`;
}
