import type { EngineProject } from '../engine.ts';
import { shortIdOf } from '../short-id.ts';

/** The schema and the roles of one tenant. */
export interface TenantNames {
  readonly schema: string;
  /** Owns the schema and everything in it; pushes log in as it. */
  readonly ddl: string;
  /** Has the privileges of programs that use the data; nobody logs in as it. */
  readonly role: string;
  /** Users and their programs log in as this role. */
  readonly login: string;
  /** Reads everything of the schema for a dump, and writes nothing. */
  readonly backup: string;
}

/** Names that belong to a project for good: they come from its id, not from its slug. */
export function tenantNamesOf(project: Pick<EngineProject, 'id'>): TenantNames {
  return namesWithPrefix(`t_${shortIdOf(project)}`);
}

export function namesWithPrefix(prefix: string): TenantNames {
  return {
    schema: `${prefix}_api`,
    ddl: `${prefix}_ddl`,
    role: `${prefix}_role`,
    login: `${prefix}_login`,
    backup: `${prefix}_backup`,
  };
}

/** Owns the ledger of the shared database and has no other privilege; nobody logs in as it. */
export const LEDGER_OWNER = 'flux_ledger';
