import type { LeftOut } from '@flux/contract/backup';

/** What a restore does not bring back, for people; nothing when that is nothing, or when an older server does not say. */
export function describeLeftOut(leftOut: readonly LeftOut[] = [], indent = ''): string[] {
  if (leftOut.length === 0) return [];
  return [`${indent}A restore does not bring back:`, ...leftOut.map((one) => `${indent}  ${describeOne(one)}`)];
}

function describeOne({ kind, name, reason }: LeftOut): string {
  const what = [kind.replaceAll('_', ' '), name].filter((part) => part !== '').join(' ');
  return `${what}: ${reason}`;
}
