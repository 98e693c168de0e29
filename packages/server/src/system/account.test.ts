import { describe, expect, it } from 'vitest';
import { parseAccountLine, resolveAccount } from './account.ts';

const isRoot = process.getuid?.() === 0;

describe('resolveAccount', () => {
  it.runIf(isRoot)('finds an ordinary account when the control plane is root', async () => {
    const account = await resolveAccount('nobody');
    expect(account).toMatchObject({ name: 'nobody' });
    expect(account?.uid).toBeGreaterThan(0);
  });

  it.runIf(isRoot)('refuses root itself', async () => {
    await expect(resolveAccount('root')).rejects.toMatchObject({
      code: 'config_invalid',
      hint: expect.stringContaining('FLUX_POSTGRES_ACCOUNT'),
    });
  });

  it.runIf(isRoot)('says what to type when there is no such account', async () => {
    await expect(resolveAccount('nobody-here')).rejects.toMatchObject({ code: 'config_invalid', hint: expect.stringContaining('useradd') });
  });

  it.runIf(isRoot)('refuses what is no account name', async () => {
    await expect(resolveAccount('a:b\nc')).rejects.toMatchObject({ code: 'config_invalid' });
  });

  it.runIf(!isRoot)('needs no account when the control plane is unprivileged', async () => {
    expect(await resolveAccount('nobody')).toBeUndefined();
  });
});

describe('parseAccountLine', () => {
  it.each([
    ['postgres:x:101:104:admin:/var/lib/postgresql:/bin/bash', { name: 'postgres', uid: 101, gid: 104 }],
    ['postgres:x:abc:104:admin:/:/bin/bash', undefined],
    ['', undefined],
  ])('reads %j', (line, expected) => {
    expect(parseAccountLine(line)).toEqual(expected);
  });
});
