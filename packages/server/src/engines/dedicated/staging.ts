import { FluxError } from '@flux/contract/errors';
import { completeAsAdministrator, isLeftToAdministrator } from '../../postgres/administer/complete.ts';
import { temporaryPrivileges } from '../../postgres/administer/configuration-tables.ts';
import { renderWrappers } from '../../postgres/administer/wrappers.ts';
import { connectPostgres, type PostgresSession } from '../../postgres/connect.ts';
import { type DatabaseLocale, LOCALE_COLUMNS } from '../../postgres/database-locale.ts';
import { insertLedgerRows } from '../../postgres/ledger-table.ts';
import { extensionsOf } from '../../postgres/manifest/facts.ts';
import { NO_PREREQUISITES, type Prerequisites } from '../../postgres/manifest/prerequisites/data.ts';
import { renderOwnAfter, renderOwnBefore } from '../../postgres/manifest/prerequisites/render.ts';
import { DIGEST_SETTINGS } from '../../postgres/manifest.ts';
import { UNBOUNDED } from '../../postgres/session-settings.ts';
import { quoteIdentifier, unquoteIdentifier } from '../../postgres/sql/quote.ts';
import type { PostgresTarget } from '../../postgres/target.ts';
import type { ExpiryClock } from '../../system/expiry-clock.ts';
import type { Log } from '../../system/log.ts';
import type { EngineProject } from '../engine.ts';
import type { Staging, StagingSpec } from '../staging.ts';
import { createDatabase } from './create-database.ts';
import { completeDatabase } from './database-itself.ts';
import { createExtensions } from './extensions.ts';
import { becomePublic, refuseSameNames } from './into-public.ts';
import { databaseNameOf, ownerNameOf } from './names.ts';
import { provisionDatabase } from './provision.ts';
import { whileSuperuser } from './superuser-for-a-time.ts';
import { copySettings, swapDatabases } from './swap.ts';

/** How the superuser connects to a dedicated project's server. */
export interface DedicatedPlace {
  readonly project: EngineProject;
  readonly major: number;
  admin(database: string): PostgresTarget;
  readonly clock: Pick<ExpiryClock, 'latest'>;
  readonly log: Log;
}

/** Name of the database that is restored into, until it is swapped in. */
export function stagingNameOf(project: EngineProject): string {
  return `${databaseNameOf(project)}_next`;
}

/**
 * Creates an empty database next to the live one, on the same server. The owner role restores; in a new project it temporarily has the
 * name of the owner in the archive, so that grants and policies find it, until the swap renames it.
 */
export async function openStagingDatabase(place: DedicatedPlace, spec: StagingSpec, signal?: AbortSignal): Promise<Staging> {
  const { project, admin, clock, log } = place;
  const name = stagingNameOf(project);
  const ownName = ownerNameOf(project);
  const ownerName = spec.place === 'fresh' ? (spec.ownerName ?? ownName) : ownName;
  const needed = spec.prerequisites;
  const inspector = admin(name);
  const target: PostgresTarget = { ...inspector, user: ownerName, password: project.secrets.loginPassword };
  const asAdmin = async <T>(database: string, work: (session: PostgresSession) => Promise<T>, until = signal): Promise<T> => {
    await using session = await connectPostgres(admin(database), { signal: until, settings: UNBOUNDED });
    return await work(session);
  };
  const rename = (from: string, to: string, until = signal) =>
    asAdmin(
      'postgres',
      async (session) => {
        if (from === to || !(await hasRole(session, from))) return;
        await session.run(`ALTER ROLE ${quoteIdentifier(from)} RENAME TO ${quoteIdentifier(to)}`);
      },
      until,
    );

  const discard = async () => {
    // Also after an abort.
    const always = new AbortController().signal;
    await asAdmin('postgres', (session) => session.run(`DROP DATABASE IF EXISTS ${quoteIdentifier(name)} WITH (FORCE)`), always);
    await rename(ownerName, ownName, always);
  };
  await discard();
  await rename(ownName, ownerName);
  await asAdmin('postgres', async (session) => {
    await createRoles(session, needed);
    await createDatabase(session, { name, owner: ownerName, locale: spec.locale, moneyLocale: spec.moneyLocale, major: place.major });
    await session.run(`REVOKE ALL ON DATABASE ${quoteIdentifier(name)} FROM PUBLIC`);
  });
  const created = await asAdmin(name, (session) => prepareDatabase(session, place.major, ownerName, spec));
  if (spec.kind === 'tenant_export') await provisionDatabase(inspector, target, log, signal);
  {
    await using session = await connectPostgres(target, { signal });
    for (const statement of renderOwnBefore(needed)) await session.run(statement);
  }

  return {
    load: (work) =>
      spec.place === 'fresh' && spec.rights === 'superuser' ? whileSuperuser(admin('postgres'), target, work) : work(target),
    inspector,
    major: place.major,
    schema: null,
    omits: (entry) => {
      const { kind, tag } = entry;
      return (
        (kind === 'EXTENSION' && created.extensions.has(tag)) ||
        (kind === 'COMMENT' && tag.startsWith('EXTENSION ') && created.extensions.has(unquoteIdentifier(tag.slice('EXTENSION '.length)))) ||
        (kind === 'SCHEMA' && created.schemas.has(tag)) ||
        isLeftToAdministrator(entry, { objects: spec.objects, owner: ownerName })
      );
    },
    roleDefaults: 'complete',
    afterError: spec.kind === 'project_db' ? 'go on' : 'stop',
    async complete(prerequisites) {
      if (spec.schema !== null) await asAdmin(name, (session) => refuseSameNames(session, spec.schema ?? ''));
      {
        await using session = await connectPostgres(target, { signal, settings: UNBOUNDED });
        for (const statement of renderOwnAfter(prerequisites)) await session.run(statement);
        await insertLedgerRows(session, spec.schema ?? 'public', prerequisites.ledger);
      }
      await using session = await connectPostgres(inspector, { signal, settings: DIGEST_SETTINGS });
      for (const statement of created.privileges.revoke) await session.run(statement);
      const { objects, internalRoles } = spec;
      if (spec.kind === 'project_db')
        await completeAsAdministrator(session, { objects, internalRoles, owner: ownerName, major: place.major });
      if (spec.kind !== 'project_db') return;
      if (spec.place === 'fresh') await completeDatabase(session, name, objects, 'new');
      // Data is restored; the database itself stays as it is.
      else await copySettings(admin(databaseNameOf(project)), name);
    },
    async swapIn(previous, swapSignal) {
      swapSignal?.throwIfAborted();
      if (spec.schema !== null) await becomePublic(inspector, spec.schema);
      await copySettings(admin(databaseNameOf(project)), name);
      await rename(ownerName, ownName);
      return await swapDatabases(admin('postgres'), { live: databaseNameOf(project), next: name, previous, at: clock.latest() });
    },
    discard,
  };
}

/** Creates a database next to the live one, with the contents of a new project and the locale of the live one. */
export async function openEmptyDatabase(place: DedicatedPlace, signal?: AbortSignal): Promise<Staging> {
  await using session = await connectPostgres(place.admin('postgres'), { signal });
  const [live] = await session.query<DatabaseLocale>(`select ${LOCALE_COLUMNS} from pg_catalog.pg_database d where d.datname = $1`, [
    databaseNameOf(place.project),
  ]);
  if (live === undefined)
    throw new FluxError('not_ready', `The database ${databaseNameOf(place.project)} of ${place.project.slug} does not exist.`, {
      hint: `Create an empty one with \`flux project start ${place.project.slug}\`, or restore a backup into a new project.`,
    });
  // Like a tenant export it brings no whole database with it, so the parts that every project has are created first.
  const nothing = { kind: 'tenant_export', place: 'beside', ownerName: null, schema: null, objects: [], internalRoles: [] } as const;
  return await openStagingDatabase(place, { ...nothing, locale: live, moneyLocale: null, prerequisites: NO_PREREQUISITES }, signal);
}

async function hasRole(session: PostgresSession, name: string): Promise<boolean> {
  return (await session.query('select from pg_catalog.pg_roles where rolname = $1', [name])).length > 0;
}

/** Creates the missing roles. Nobody becomes a member of a role that existed before: it may have more rights here than at the source. */
async function createRoles(session: PostgresSession, { roles, memberships }: Prerequisites): Promise<void> {
  const created = new Set<string>();
  for (const { name, inherits, bypassesRls } of roles) {
    if (name.startsWith('pg_') || (await hasRole(session, name))) continue;
    await session.run(`CREATE ROLE ${quoteIdentifier(name)} NOLOGIN${inherits ? '' : ' NOINHERIT'}${bypassesRls ? ' BYPASSRLS' : ''}`);
    created.add(name);
  }
  for (const { group, member } of memberships) {
    if (created.has(group) && (await hasRole(session, member)))
      await session.run(`GRANT ${quoteIdentifier(group)} TO ${quoteIdentifier(member)}`);
  }
}

/** Creates what only a superuser may, in the empty database: wrappers, extensions, and before 15 the owner of `public`. */
async function prepareDatabase(session: PostgresSession, major: number, owner: string, spec: StagingSpec) {
  if (major < 15) await session.run(`ALTER SCHEMA public OWNER TO ${quoteIdentifier(owner)}; REVOKE CREATE ON SCHEMA public FROM PUBLIC`);
  // A trigger that fires at login would run the owner's function in every session of the administrator.
  if (major >= 17) await session.run('ALTER ROLE CURRENT_USER SET event_triggers = off');
  const wanted = [...extensionsOf(spec.objects), ...spec.prerequisites.extensions];
  const which = spec.kind === 'tenant_export' ? 'all' : 'of superusers';
  const created = await createExtensions(session, owner, wanted, which, spec.lacking ?? 'refused');
  for (const statement of await renderWrappers(session, spec.objects)) await session.run(statement);
  const privileges = await temporaryPrivileges(session, owner);
  for (const statement of privileges.granted) await session.run(statement);
  return { ...created, privileges };
}
