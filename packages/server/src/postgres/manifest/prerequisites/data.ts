/** A role that objects of the backup refer to. It is created without a password and cannot log in. */
export interface RolePrerequisite {
  readonly name: string;
  /** Only a superuser may own an event trigger. Applied only in a disposable instance. */
  readonly superuser: boolean;
  readonly inherits: boolean;
  readonly bypassesRls: boolean;
}

/** The member has the privileges of the group. */
export interface MembershipPrerequisite {
  readonly group: string;
  readonly member: string;
}

/** An extension that objects of the backup use. */
export interface ExtensionPrerequisite {
  readonly name: string;
  readonly schema: string;
  /** The version at the source. */
  readonly version: string | null;
  /** True when nothing names it, but a function may: what it runs is put together when it runs. It is created where it can be. */
  readonly possibly?: true | undefined;
}

/** A statement that the restoring role runs, without needing further privileges. */
export interface StatementPrerequisite {
  /** Whether it runs before pg_restore or after it. */
  readonly phase: 'before' | 'after';
  /** Name of a type, as SQL; when the type exists, the statement is left out. */
  readonly unlessType: string | null;
  /** One statement as Postgres prints it, without its final semicolon. */
  readonly sql: string;
}

/** The owner of an object. */
export interface OwnerPrerequisite {
  /** Keywords of the object's kind, for example `MATERIALIZED VIEW`. */
  readonly kind: string;
  /** The object as `pg_identify_object` names it, which is SQL. */
  readonly identity: string;
  readonly owner: string;
}

/** Privileges of one role on one object or one of its columns. */
export interface GrantPrerequisite {
  readonly kind: 'SCHEMA' | 'SEQUENCE' | 'TYPE' | 'ROUTINE' | 'TABLE';
  /** The object as `pg_identify_object` names it, which is SQL. */
  readonly identity: string;
  readonly column: string | null;
  readonly privileges: readonly string[];
  /** Null is PUBLIC. */
  readonly grantee: string | null;
  readonly grantable: boolean;
}

/** Privileges that an object has by default and loses before its grants are given. */
export interface RevocationPrerequisite {
  readonly kind: GrantPrerequisite['kind'];
  readonly identity: string;
  /** PUBLIC always loses its privileges; so does this role. Null when the owner is a role of Flux itself. */
  readonly owner: string | null;
}

/** Kinds of objects that default privileges are about, as ALTER DEFAULT PRIVILEGES names them. */
export type DefaultObjects = 'TABLES' | 'SEQUENCES' | 'FUNCTIONS' | 'TYPES' | 'SCHEMAS' | 'LARGE OBJECTS';

/** A privilege that future objects of a role will grant. */
export interface DefaultPrivilegePrerequisite {
  readonly owner: string;
  /** Null for every schema: such privileges replace those that Postgres gives itself. */
  readonly schema: string | null;
  readonly objects: DefaultObjects;
  readonly privilege: string;
  /** Null is PUBLIC. */
  readonly grantee: string | null;
  readonly grantable: boolean;
}

/** Default privileges of a role in every schema: those that Postgres gives itself do not apply, only those that are listed. */
export interface DefaultRevocationPrerequisite {
  readonly owner: string;
  readonly objects: DefaultObjects;
}

/** One applied migration. */
export interface LedgerRow {
  readonly version: string;
  readonly filename: string;
  /** Null only where the source's table allowed it. */
  readonly checksum: string | null;
  /** timestamptz as Postgres writes it in UTC. */
  readonly appliedAt: string;
}

/**
 * The prerequisites of a restore that the archive does not contain, as data. Each part has its executor: an administrator creates roles,
 * memberships and extensions by their names; the restoring role does the rest; the owner of the ledger writes the ledger. `render.ts`
 * turns it into SQL, which is never parsed again.
 */
export interface Prerequisites {
  readonly roles: readonly RolePrerequisite[];
  readonly memberships: readonly MembershipPrerequisite[];
  readonly schemas: readonly string[];
  readonly extensions: readonly ExtensionPrerequisite[];
  /** Settings of the session in which the statements of phase `before` run. */
  readonly settings: readonly { readonly name: string; readonly value: string }[];
  /** In the order in which they have to run. */
  readonly statements: readonly StatementPrerequisite[];
  readonly owners: readonly OwnerPrerequisite[];
  /** Each runs right before the grants of the same object. */
  readonly revocations: readonly RevocationPrerequisite[];
  readonly grants: readonly GrantPrerequisite[];
  /** Each runs before the default privileges. Undefined in manifests of older releases, which had none without a schema. */
  readonly defaultRevocations?: readonly DefaultRevocationPrerequisite[] | undefined;
  readonly defaultPrivileges: readonly DefaultPrivilegePrerequisite[];
  readonly ledger: readonly LedgerRow[];
}

/** Nothing is needed. */
export const NO_PREREQUISITES: Prerequisites = {
  roles: [],
  memberships: [],
  schemas: [],
  extensions: [],
  settings: [],
  statements: [],
  owners: [],
  revocations: [],
  grants: [],
  defaultPrivileges: [],
  ledger: [],
};
