import { describe, expect, it } from 'vitest';
import { adviseOnInstalling } from './install-advice.ts';

describe('adviseOnInstalling', () => {
  const advise = (release: string | undefined, major: number, hasAllMajors = false) =>
    adviseOnInstalling(major, `postgresql-${major}`, { release, hasAllMajors });

  it('names a package only where the distribution has it', () => {
    expect(advise('debian 12', 15)).toBe('Install it with `apt-get install postgresql-15`');
    expect(advise('debian 12', 17, true)).toBe('Install it with `apt-get install postgresql-17`');
    expect(advise('debian 12', 17)).toMatch(/postgresql-common.*Debian 12 itself has 15 only.*then `apt-get install postgresql-17`$/);
    expect(advise('ubuntu 24.04', 15)).toMatch(/pgdg.*Ubuntu 24.04 itself has 16 only/);
    expect(advise(undefined, 17)).not.toMatch(/apt/);
  });
});
