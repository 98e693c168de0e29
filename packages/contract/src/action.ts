import type { AccessLevel } from './token.ts';

/**
 * The scope of an action. `project`: the one project that it names. `account`: everything the token may see, filtered.
 * `all_projects`: not limited to single projects, so a token that is limited to some may not do it.
 */
export type Reach = 'project' | 'account' | 'all_projects';

/** What an action requires of a token. */
export interface ActionRule {
  readonly level: AccessLevel;
  readonly reach: Reach;
}

/** Every action that can be allowed or refused, with the access level and the scope that it requires. */
export const ACTIONS = {
  'account.read': { level: 'read', reach: 'account' },
  'server.examine': { level: 'read', reach: 'account' },
  'server.metrics': { level: 'read', reach: 'all_projects' },
  'key.read': { level: 'read', reach: 'account' },
  'key.rotate': { level: 'admin', reach: 'all_projects' },
  'token.list': { level: 'admin', reach: 'account' },
  'token.create': { level: 'admin', reach: 'all_projects' },
  'token.revoke': { level: 'admin', reach: 'all_projects' },
  'audit.read': { level: 'admin', reach: 'project' },
  'audit.read_all': { level: 'admin', reach: 'all_projects' },
  'project.list': { level: 'read', reach: 'account' },
  'project.create': { level: 'write', reach: 'all_projects' },
  'project.link': { level: 'write', reach: 'account' },
  'project.read': { level: 'read', reach: 'project' },
  'project.attach': { level: 'admin', reach: 'project' },
  'project.configure': { level: 'admin', reach: 'project' },
  'project.quota': { level: 'admin', reach: 'all_projects' },
  'project.power': { level: 'write', reach: 'project' },
  'project.credentials': { level: 'write', reach: 'project' },
  'project.push': { level: 'write', reach: 'project' },
  'project.extensions': { level: 'write', reach: 'project' },
  'project.restore': { level: 'admin', reach: 'project' },
  'project.restore_as_superuser': { level: 'admin', reach: 'all_projects' },
  'project.reset': { level: 'admin', reach: 'project' },
  'project.migrate': { level: 'admin', reach: 'project' },
  'project.nuke': { level: 'admin', reach: 'project' },
  'backup.read': { level: 'read', reach: 'project' },
  'backup.read_paths': { level: 'admin', reach: 'project' },
  'backup.create': { level: 'write', reach: 'project' },
  'backup.import': { level: 'write', reach: 'project' },
  'backup.verify': { level: 'write', reach: 'project' },
  'backup.verify_longer': { level: 'admin', reach: 'all_projects' },
  'backup.pin': { level: 'write', reach: 'project' },
  'backup.delete': { level: 'admin', reach: 'project' },
  'operation.list': { level: 'read', reach: 'account' },
  'operation.read': { level: 'read', reach: 'project' },
  'operation.cancel': { level: 'write', reach: 'project' },
} as const satisfies Record<string, ActionRule>;

/** An action that can be allowed or refused. */
export type Action = keyof typeof ACTIONS;
