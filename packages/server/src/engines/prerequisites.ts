import { splitSql } from '@flux/contract/sql/split';
import { unquoteIdentifier } from '../postgres/sql/quote.ts';

/** A role that a backup's source had. */
export interface NeededRole {
  readonly name: string;
  readonly inherits: boolean;
  readonly bypassesRls: boolean;
}

/** What `prerequisitesBefore` of a manifest asks for, by who may do it. */
export interface SortedPrerequisites {
  /** To be made without any right to log in. That a role was a superuser is left out: no backup makes one. */
  readonly roles: readonly NeededRole[];
  readonly memberships: readonly { readonly group: string; readonly member: string }[];
  /** Names of extensions. */
  readonly extensions: readonly { readonly name: string; readonly schema: string }[];
  /** Everything else, statement by statement, for a role without power over others. */
  readonly others: readonly string[];
}

const NAME = '("(?:[^"]|"")+"|[a-z_][a-z0-9_$]*)';
const ROLE = new RegExp(`THEN CREATE ROLE ${NAME} NOLOGIN([A-Z ]*); END IF; END$`);
const MEMBERSHIP = new RegExp(`^GRANT ${NAME} TO ${NAME}$`);
const EXTENSION = new RegExp(`^CREATE EXTENSION IF NOT EXISTS ${NAME} WITH SCHEMA ${NAME} CASCADE$`);

/**
 * Reads what a manifest needs around it. Its text is never run as a whole where it could do harm: a superuser makes roles and
 * extensions by the names found here, and nothing else of it.
 */
export function sortPrerequisites(sql: string): SortedPrerequisites {
  const roles: NeededRole[] = [];
  const memberships: { group: string; member: string }[] = [];
  const extensions: { name: string; schema: string }[] = [];
  const others: string[] = [];
  for (const { text } of splitSql(sql).statements) {
    const role = ROLE.exec(bodyOfDo(text));
    const membership = MEMBERSHIP.exec(text);
    const extension = EXTENSION.exec(text);
    if (role !== null) {
      const attributes = (role[2] ?? '').trim().split(' ');
      const name = unquoteIdentifier(role[1] ?? '');
      roles.push({ name, inherits: !attributes.includes('NOINHERIT'), bypassesRls: attributes.includes('BYPASSRLS') });
    } else if (membership !== null)
      memberships.push({ group: unquoteIdentifier(membership[1] ?? ''), member: unquoteIdentifier(membership[2] ?? '') });
    else if (extension !== null)
      extensions.push({ name: unquoteIdentifier(extension[1] ?? ''), schema: unquoteIdentifier(extension[2] ?? '') });
    else others.push(text);
  }
  return { roles, memberships, extensions, others };
}

/** The statements inside the literal of a DO. */
function bodyOfDo(text: string): string {
  const literal = /^DO (E?)'([\s\S]*)'$/.exec(text);
  if (literal === null) return '';
  const body = (literal[2] ?? '').replaceAll("''", "'");
  return literal[1] === 'E' ? body.replaceAll('\\\\', '\\') : body;
}
