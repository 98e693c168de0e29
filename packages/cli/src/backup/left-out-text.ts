import type { LeftOut } from '@flux/contract/backup';

/** What a restore does not bring back, for people; nothing when that is nothing, or when an older server does not say. */
export function describeLeftOut(leftOut: readonly LeftOut[] = [], indent = ''): string[] {
  const warnings = leftOut.filter(({ kind }) => kind === 'warning');
  const things = leftOut.filter(({ kind }) => kind !== 'warning');
  return [
    ...(things.length === 0 ? [] : [`${indent}A restore does not bring back:`, ...things.map((one) => `${indent}  ${describeOne(one)}`)]),
    ...warnings.map(({ name, reason }) => `${indent}${name} warned: ${reason}`),
  ];
}

function describeOne({ kind, name, reason }: LeftOut): string {
  const what = [kind.replaceAll('_', ' '), name].filter((part) => part !== '').join(' ');
  return `${what}: ${reason}`;
}
