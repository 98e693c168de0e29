import { expect, it } from 'vitest';
import { completeCodeSpans, completeCommands } from './complete-commands.ts';

const project = '--project shop --hash 0a1b2c3';
const apiBase = 'http://10.0.0.1:4400';

it.each([
  ['flux backup verify --latest', `flux backup verify --latest ${project} --api-base ${apiBase}`],
  ['flux backup list -p shop', `flux backup list -p shop --api-base ${apiBase}`],
  ['flux backup list --hash 0a1b2c3', `flux backup list --hash 0a1b2c3 --api-base ${apiBase}`],
  ['flux list', `flux list --api-base ${apiBase}`],
  ['flux login --api-base http://x', 'flux login --api-base http://x'],
  [
    'flux push && flux doctor | head -3',
    `flux push ${project} --api-base ${apiBase} && flux doctor ${project} --api-base ${apiBase} | head -3`,
  ],
  ['flux push\n  flux list', `flux push ${project} --api-base ${apiBase}\n  flux list --api-base ${apiBase}`],
  ['flux backup restore --into <slug>', `flux backup restore --into <slug> ${project} --api-base ${apiBase}`],
  ['flux backup download --latest > ./b.dump', `flux backup download --latest ${project} --api-base ${apiBase} > ./b.dump`],
  [
    'psql "$(flux project credentials --field postgres.url)" -1 -f a.sql',
    `psql "$(flux project credentials --field postgres.url ${project} --api-base ${apiBase})" -1 -f a.sql`,
  ],
  ['pg_restore --list ./shop.dump', 'pg_restore --list ./shop.dump'],
])('completes %s', (command, whole) => {
  expect(completeCommands(command, { project, apiBase })).toBe(whole);
});

it('leaves a command alone that is right as it is, and words that are none', () => {
  expect(completeCommands('flux backup list', { project: null, apiBase: null })).toBe('flux backup list');
  expect(completeCodeSpans('See `flux list`; a flux backup is one.', { project, apiBase })).toBe(
    `See \`flux list --api-base ${apiBase}\`; a flux backup is one.`,
  );
});

it('quotes an address that a shell would read otherwise', () => {
  expect(completeCommands('flux list', { project: null, apiBase: 'http://x/?a=1&b' })).toBe("flux list --api-base 'http://x/?a=1&b'");
});
