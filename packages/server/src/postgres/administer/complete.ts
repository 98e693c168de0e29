import type { ArchiveEntry } from '../archive/toc.ts';
import { type PostgresSession, sqlStateOf } from '../connect.ts';
import { readObjects } from '../manifest/objects/read.ts';
import type { SchemaObject } from '../manifest.ts';
import { quoteIdentifier } from '../sql/quote.ts';
import { isOfAllTables, renderComments, renderEventTriggers, renderPublications } from './database-objects.ts';
import { renderDefaultPrivileges } from './default-privileges.ts';
import { wantedOf } from './difference.ts';
import { renderGrants } from './grants.ts';

/** A restored database that its owner cannot complete. */
export interface Completion {
  /** Of the source. */
  readonly objects: readonly SchemaObject[];
  /** The role that owns the restored objects. */
  readonly owner: string;
  readonly internalRoles: readonly string[];
  readonly major: number;
}

/**
 * Creates what only a superuser can, after pg_restore has restored everything else as the owner: grants, default privileges, publications,
 * comments, and event triggers last, since they would fire for everything before. Nothing that the owner wrote is executed:
 * see adr/0013. What cannot be created stays missing; the comparison finds it.
 *
 * @param session of a superuser, with `DIGEST_SETTINGS`
 */
export async function completeAsAdministrator(session: PostgresSession, completion: Completion): Promise<void> {
  const { objects, owner, internalRoles, major } = completion;
  const { objects: found } = await readObjects([session], { schema: null, internalRoles }, major);
  const wanted = (kind: string) => wantedOf(kind, objects, found);
  const statements = [
    ...(await renderGrants(session, wanted('grant'), owner)),
    ...(await renderDefaultPrivileges(session, wanted('default_privileges'))),
    ...renderPublications(wanted('publication')),
    ...(await renderEventTriggers(session, wanted('event_trigger'), owner)),
    // Comments on event triggers fire none.
    ...renderComments(wanted('comment')),
  ];
  for (const statement of statements) await attempt(session, statement);
}

/** Entries that the owner leaves to the administrator. */
export function isLeftToAdministrator({ kind, tag, owner, acl }: ArchiveEntry, spec: Pick<Completion, 'objects' | 'owner'>): boolean {
  switch (kind) {
    case 'EVENT TRIGGER':
    case 'SUBSCRIPTION':
    case 'FOREIGN DATA WRAPPER':
    case 'PUBLICATION TABLES IN SCHEMA':
      return true;
    case 'DEFAULT ACL':
      return owner !== spec.owner;
    case 'ACL':
      // A grant that somebody else had handed on.
      return acl?.includes('SET SESSION AUTHORIZATION') === true;
    case 'PUBLICATION':
      return spec.objects.some(
        (object) => object.kind === 'publication' && object.name === quotedLike(tag) && isOfAllTables(object.definition),
      );
    case 'COMMENT':
      return /^(EVENT TRIGGER|FOREIGN DATA WRAPPER|SUBSCRIPTION|PUBLICATION) /.test(tag);
    default:
      return false;
  }
}

/** A name as `quote_ident` of the server writes it, keywords aside. */
function quotedLike(name: string): string {
  return /^[a-z_][a-z0-9_$]*$/.test(name) ? name : quoteIdentifier(name);
}

/** Runs a statement on its own; one that fails changes nothing. @throws what breaks the connection */
async function attempt(session: PostgresSession, statement: string): Promise<void> {
  try {
    await session.run(statement);
  } catch (error) {
    const state = sqlStateOf(error);
    if (state === undefined || state.startsWith('08') || state.startsWith('57')) throw error;
  }
}
