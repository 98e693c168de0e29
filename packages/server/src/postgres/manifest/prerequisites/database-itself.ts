import type { SchemaObject } from '../../manifest.ts';
import { quoteIdentifier, quoteLiteral, unquoteIdentifier } from '../../sql/quote.ts';

/** One thing of the database itself, and the statement that gives it to a database. */
export interface DatabaseStatement {
  readonly kind: string;
  /** Name of the setting, null for what is not a setting. */
  readonly setting: string | null;
  /** The role that the statement names, null for none. */
  readonly role: string | null;
  readonly sql: string;
}

/** Settings whose value is a list of names, quoted where needed. Source: `variable_is_guc_list_quote` of pg_dump. */
const LISTS = new Set(['local_preload_libraries', 'search_path', 'session_preload_libraries', 'temp_tablespaces']);

/**
 * The statements that give a database what belongs to the source's database itself, in a fixed order.
 *
 * @param database its name, as SQL
 */
export function databaseStatements(objects: readonly SchemaObject[], database: string): DatabaseStatement[] {
  return objects.flatMap(({ kind, name, definition }): readonly DatabaseStatement[] => {
    switch (kind) {
      case 'database_setting':
      case 'role_setting': {
        const { role, setting } = splitSetting(name);
        if (kind === 'role_setting' && role === null) return [];
        const whose =
          role === null
            ? `DATABASE ${database}`
            : `ROLE ${quoteIdentifier(role)}${kind === 'database_setting' ? ` IN DATABASE ${database}` : ''}`;
        return [{ kind, setting, role, sql: `ALTER ${whose} SET ${settingName(setting)} TO ${settingValue(setting, definition)}` }];
      }
      case 'database_comment':
        return [{ kind, setting: null, role: null, sql: `COMMENT ON DATABASE ${database} IS ${quoteLiteral(definition)}` }];
      case 'database_limit':
        return [{ kind, setting: null, role: null, sql: `ALTER DATABASE ${database} CONNECTION LIMIT ${Number(definition)}` }];
      case 'role_limit': {
        const role = unquoteIdentifier(name);
        return limitsOf(definition).map((limit) => ({ kind, setting: null, role, sql: `ALTER ROLE ${quoteIdentifier(role)} ${limit}` }));
      }
      case 'membership': {
        const [member = '', group = ''] = splitNames(name);
        const sql = `GRANT ${quoteIdentifier(group)} TO ${quoteIdentifier(member)} WITH ${optionsOf(definition).join(', ')}`;
        return member === '' || group === '' ? [] : [{ kind, setting: null, role: member, sql }];
      }
      case 'setting_grant': {
        const { role, setting } = splitSetting(name);
        if (role === null) return [];
        return grantsOf(definition, ['SET', 'ALTER SYSTEM']).map(({ privilege, grantable }) => ({
          kind,
          setting,
          role,
          sql: `GRANT ${privilege} ON PARAMETER ${settingName(setting)} TO ${quoteIdentifier(role)}${grantable ? ' WITH GRANT OPTION' : ''}`,
        }));
      }
      case 'database_grant': {
        const role = name === 'PUBLIC' ? null : unquoteIdentifier(name);
        const to = role === null ? 'PUBLIC' : quoteIdentifier(role);
        const none = { kind, setting: null, role, sql: `REVOKE ALL ON DATABASE ${database} FROM PUBLIC` };
        const grants = grantsOf(definition, ['CONNECT', 'CREATE', 'TEMPORARY']).map(({ privilege, grantable }) => ({
          kind,
          setting: null,
          role,
          sql: `GRANT ${privilege} ON DATABASE ${database} TO ${to}${grantable ? ' WITH GRANT OPTION' : ''}`,
        }));
        // PUBLIC may connect to every new database.
        return role === null ? [none, ...grants] : grants;
      }
      default:
        return [];
    }
  });
}

/** The same for a restore by hand, in whichever database it is run; empty when there is nothing. */
export function renderDatabaseItself(objects: readonly SchemaObject[]): string {
  const placeholder = quoteIdentifier('flux: this database');
  const statements = databaseStatements(objects, placeholder).map(({ sql }) => {
    const [before = '', ...after] = sql.split(placeholder);
    if (after.length === 0) return `${sql};`;
    return `DO ${quoteLiteral(`BEGIN EXECUTE format(${quoteLiteral(`${escapePercent(before)}%I${escapePercent(after.join(placeholder))}`)}, current_database()); END`)};`;
  });
  return statements.length === 0
    ? ''
    : ['-- After pg_restore: what belongs to the database itself and to its roles.', ...statements].join('\n');
}

function escapePercent(text: string): string {
  return text.replaceAll('%', '%%');
}

/** `setting`, or `role: setting` with the role as SQL. */
function splitSetting(name: string): { readonly role: string | null; readonly setting: string } {
  const at = name.lastIndexOf(': ');
  return at < 0 ? { role: null, setting: name } : { role: unquoteIdentifier(name.slice(0, at)), setting: name.slice(at + 2) };
}

/** A name with a dot is two identifiers. */
function settingName(setting: string): string {
  return setting.split('.').map(quoteIdentifier).join('.');
}

function settingValue(setting: string, value: string): string {
  if (!LISTS.has(setting)) return quoteLiteral(value);
  const names = [...value.matchAll(/"((?:[^"]|"")*)"|([^,\s"]+)/g)].map(
    ([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? '',
  );
  return names.length === 0 ? quoteLiteral('') : names.map(quoteLiteral).join(', ');
}

function grantsOf(definition: string, privileges: readonly string[]): { readonly privilege: string; readonly grantable: boolean }[] {
  return definition
    .split(', ')
    .map((one) => ({ privilege: one.replace('*', ''), grantable: one.endsWith('*') }))
    .filter(({ privilege }) => privileges.includes(privilege));
}

/** `CONNECTION LIMIT 3 VALID UNTIL '...'`, either or both. */
function limitsOf(definition: string): string[] {
  const [, connections, until] = /^(?:CONNECTION LIMIT (\d+))? ?(?:VALID UNTIL '([^']*)')?$/.exec(definition) ?? [];
  return [
    ...(connections === undefined ? [] : [`CONNECTION LIMIT ${Number(connections)}`]),
    ...(until === undefined ? [] : [`VALID UNTIL ${quoteLiteral(until)}`]),
  ];
}

/** `member in group`, both as SQL. */
function splitNames(name: string): string[] {
  const [, member, group] = /^("(?:[^"]|"")+"|\S+) in ("(?:[^"]|"")+"|\S+)$/.exec(name) ?? [];
  return [member, group].filter((part) => part !== undefined).map(unquoteIdentifier);
}

function optionsOf(definition: string): string[] {
  return definition.split(', ').filter((option) => /^(ADMIN OPTION|INHERIT (TRUE|FALSE)|SET FALSE)$/.test(option));
}
