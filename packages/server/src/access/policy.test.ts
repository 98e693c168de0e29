import { ACTIONS, type Action } from '@flux/contract/action';
import type { ProjectId, TokenId, UserId } from '@flux/contract/ids';
import { ACCESS_LEVELS, type AccessLevel } from '@flux/contract/token';
import { describe, expect, it } from 'vitest';
import { can, type Principal, requireAllowed } from './policy.ts';

const [ME, OTHER] = ['me', 'other'] as UserId[] as [UserId, UserId];
const mine = { id: 'mine' as ProjectId, owner_id: ME };
const alsoMine = { id: 'also-mine' as ProjectId, owner_id: ME };
const theirs = { id: 'theirs' as ProjectId, owner_id: OTHER };

const LIMITS = { all: null, 'one project': [{ id: mine.id, hash: '0a1b2c3' }], none: [] };
const actions = Object.keys(ACTIONS) as Action[];

function principal(access: AccessLevel, limit: keyof typeof LIMITS): Principal {
  return {
    token: { id: 'token' as TokenId, name: 'ci', access, user_id: ME, userName: 'me', expires_at: null, projects: LIMITS[limit] },
    actor: { userId: ME, tokenId: 'token' as TokenId },
  };
}

/** Written out, so that a changed rule is noticed here: the lowest level, and * where a limited token is refused. */
const EXPECTED: Record<Action, string> = {
  'account.read': 'read',
  'server.examine': 'read',
  'server.metrics': 'read *',
  'key.read': 'read',
  'key.rotate': 'admin *',
  'token.list': 'admin',
  'token.create': 'admin *',
  'token.revoke': 'admin *',
  'audit.read': 'admin',
  'audit.read_all': 'admin *',
  'project.list': 'read',
  'project.create': 'write *',
  'project.link': 'write',
  'project.read': 'read',
  'project.configure': 'admin',
  'project.quota': 'admin *',
  'project.power': 'write',
  'project.credentials': 'write',
  'project.push': 'write',
  'project.extensions': 'write',
  'project.restore': 'admin',
  'project.restore_as_superuser': 'admin *',
  'project.reset': 'admin',
  'project.migrate': 'admin',
  'project.attach': 'admin',
  'project.nuke': 'admin',
  'backup.read': 'read',
  'backup.read_paths': 'admin',
  'backup.create': 'write',
  'backup.import': 'write',
  'backup.verify': 'write',
  'backup.verify_longer': 'admin *',
  'backup.pin': 'write',
  'backup.delete': 'admin',
  'operation.list': 'read',
  'operation.read': 'read',
  'operation.cancel': 'write',
};

describe.each(ACCESS_LEVELS)('a token of level %s', (access) => {
  describe.each(Object.keys(LIMITS) as (keyof typeof LIMITS)[])('for %s', (limit) => {
    it.each(actions)('%s', (action) => {
      const who = principal(access, limit);
      const [lowest = '', beyond] = EXPECTED[action].split(' ');
      const isHighEnough = ACCESS_LEVELS.indexOf(access) >= ACCESS_LEVELS.indexOf(lowest as AccessLevel);
      const isRefusedAsLimited = beyond === '*' && limit !== 'all';
      const expected = !isHighEnough ? 'level_too_low' : isRefusedAsLimited ? 'token_limited' : 'allowed';

      expect(can(who, action, null)).toBe(expected);
      expect(can(who, action, mine)).toBe(limit === 'none' ? 'invisible' : expected);
      expect(can(who, action, alsoMine)).toBe(limit === 'all' ? expected : 'invisible');
      expect(can(who, action, theirs)).toBe('invisible');
      if (expected === 'allowed') expect(() => requireAllowed(who, action)).not.toThrow();
      else expect(() => requireAllowed(who, action)).toThrow(expect.objectContaining({ code: 'forbidden' }));
    });
  });
});
