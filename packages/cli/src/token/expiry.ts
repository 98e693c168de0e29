import { FluxError } from '@flux/contract/errors';

const HOUR_MS = 3_600_000;
const UNIT_MS: Readonly<Record<string, number>> = { h: HOUR_MS, d: 24 * HOUR_MS, w: 7 * 24 * HOUR_MS, y: 365 * 24 * HOUR_MS };

/**
 * When a token ends: `12h`, `30d`, `2w`, `1y` from now, or a date.
 *
 * @returns UTC, ISO 8601
 * @throws FluxError `usage` for anything else, and for the past
 */
export function parseExpiry(text: string, now: Date): string {
  const [, count, unit] = /^([1-9][0-9]{0,4})([hdwy])$/.exec(text) ?? [];
  const time =
    unit === undefined
      ? /^\d{4}-\d{2}-\d{2}/.test(text)
        ? Date.parse(text)
        : Number.NaN
      : now.getTime() + Number(count) * (UNIT_MS[unit] ?? 0);
  if (Number.isNaN(time)) {
    throw new FluxError('usage', `--expires ${JSON.stringify(text)} is neither a time from now nor a date.`, {
      hint: 'Write 12h, 30d, 1y or 2027-01-31.',
    });
  }
  if (time <= now.getTime())
    throw new FluxError('usage', `--expires ${text} lies in the past.`, { hint: 'Write 12h, 30d, 1y or a later date.' });
  return new Date(time).toISOString();
}
