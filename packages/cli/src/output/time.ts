const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/**
 * A time as every human output shows it: `1781975913697 · 2026-06-20T17:18:33.697Z · Jun 20, 2026, 5:18 PM UTC · 2 days ago`.
 * Not formatted with `Intl`, whose output changes with the version of Node (for example, a narrow space before PM).
 */
export function formatTime(iso: string, now: Date): string {
  const time = new Date(iso);
  if (Number.isNaN(time.getTime())) return iso;
  return `${time.getTime()} · ${time.toISOString()} · ${formatClock(time)} · ${formatAge(time, now)}`;
}

/** The short form, for rows of a table on a terminal: `2026-06-20T17:18:33.697Z · 2 days ago`. */
export function formatShortTime(iso: string, now: Date): string {
  const time = new Date(iso);
  return Number.isNaN(time.getTime()) ? iso : `${time.toISOString()} · ${formatAge(time, now)}`;
}

function formatClock(time: Date): string {
  const hours = time.getUTCHours();
  const minutes = String(time.getUTCMinutes()).padStart(2, '0');
  const day = `${MONTHS[time.getUTCMonth()]} ${time.getUTCDate()}, ${time.getUTCFullYear()}`;
  return `${day}, ${hours % 12 === 0 ? 12 : hours % 12}:${minutes} ${hours < 12 ? 'AM' : 'PM'} UTC`;
}

/** How long ago, or how soon: `just now`, `5 minutes ago`, `2 days ago`, `in 3 hours`. Whole units, rounded down. */
export function formatAge(time: Date, now: Date): string {
  const distance = now.getTime() - time.getTime();
  const size = Math.abs(distance);
  if (size < 10 * SECOND) return 'just now';
  const text = largestUnit(size);
  return distance > 0 ? `${text} ago` : `in ${text}`;
}

function largestUnit(ms: number): string {
  const [unit, name] =
    ms < MINUTE
      ? [SECOND, 'second']
      : ms < HOUR
        ? [MINUTE, 'minute']
        : ms < DAY
          ? [HOUR, 'hour']
          : ms < 60 * DAY
            ? [DAY, 'day']
            : ms < 730 * DAY
              ? [30.44 * DAY, 'month']
              : [365.25 * DAY, 'year'];
  const count = Math.floor(ms / (unit as number));
  return `${count} ${name}${count === 1 ? '' : 's'}`;
}

/** A duration: `85 ms`, `1.2 s`, `3 min 20 s`, `2 h 5 min`. */
export function formatDuration(ms: number): string {
  if (ms < SECOND) return `${Math.round(ms)} ms`;
  if (ms < MINUTE) return `${(ms / SECOND).toFixed(1)} s`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min ${Math.floor((ms % MINUTE) / SECOND)} s`;
  return `${Math.floor(ms / HOUR)} h ${Math.floor((ms % HOUR) / MINUTE)} min`;
}
