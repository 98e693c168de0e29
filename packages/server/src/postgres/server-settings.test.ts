import { expect, it } from 'vitest';
import { quoteConfigValue, renderConfigFile, settingArguments } from './server-settings.ts';

it.each([
  ['100', "'100'"],
  ['', "''"],
  ["it's", "'it''s'"],
  ['C:\\new', "'C:\\\\new'"],
  ['two\nlines', "'two\\nlines'"],
])('quotes %j for a configuration file', (value, quoted) => {
  expect(quoteConfigValue(value)).toBe(quoted);
});

it('renders the same settings as a file and as arguments', () => {
  const settings = { max_connections: '23', cluster_name: "flux-it's" };
  expect(renderConfigFile(settings)).toBe("max_connections = '23'\ncluster_name = 'flux-it''s'\n");
  expect(settingArguments(settings)).toEqual(['-c', 'max_connections=23', '-c', "cluster_name=flux-it's"]);
});
