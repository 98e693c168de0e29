import { z } from 'zod';
import type { PostgresSession } from '../connect.ts';
import { quoteIdentifier, quoteLiteral, splitQualifiedName, unquoteIdentifier } from '../sql/quote.ts';
import { factsOf, type Wanted } from './difference.ts';

const again = (name: string) => quoteIdentifier(unquoteIdentifier(name));

const EventTrigger = z.object({
  // Not `login`: it would run the owner's function in each session of the administrator.
  event: z.enum(['ddl_command_start', 'ddl_command_end', 'sql_drop', 'table_rewrite']),
  function: z.string(),
  enabled: z.enum(['O', 'D', 'R', 'A']),
  tags: z.array(z.string()).optional(),
});
const ENABLED = { O: undefined, D: 'DISABLE', R: 'ENABLE REPLICA', A: 'ENABLE ALWAYS' } as const;

/** SQL for event triggers that call functions of the owner. They fire for the administrator, too: see adr/0013. */
export async function renderEventTriggers(session: PostgresSession, wanted: readonly Wanted[], owner: string): Promise<readonly string[]> {
  const own = await session.query<{ schema: string; name: string }>(
    `SELECT n.nspname AS schema, p.proname AS name FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
     WHERE p.prorettype = 'event_trigger'::regtype AND p.pronargs = 0 AND pg_get_userbyid(p.proowner) = $1`,
    [owner],
  );
  return wanted.flatMap(({ name, definition, present }) => {
    const facts = factsOf(EventTrigger, definition);
    const parts = splitQualifiedName(facts?.function ?? '').map(unquoteIdentifier);
    const called = own.find(({ schema, name }) => parts.length === 2 && schema === parts[0] && name === parts[1]);
    if (facts === undefined || called === undefined || present !== null) return [];
    const when = facts.tags === undefined ? '' : ` WHEN TAG IN (${facts.tags.map(quoteLiteral).join(', ')})`;
    const enable = ENABLED[facts.enabled];
    return [
      `CREATE EVENT TRIGGER ${again(name)} ON ${facts.event}${when} EXECUTE FUNCTION ${quoteIdentifier(called.schema)}.${quoteIdentifier(called.name)}()`,
      ...(enable === undefined ? [] : [`ALTER EVENT TRIGGER ${again(name)} ${enable}`]),
    ];
  });
}

const Publication = z.object({
  flags: z.strictObject({
    puballtables: z.boolean(),
    pubinsert: z.boolean(),
    pubupdate: z.boolean(),
    pubdelete: z.boolean(),
    pubtruncate: z.boolean(),
    pubviaroot: z.boolean().default(false),
    pubgencols: z.union([z.enum(['n', 's']), z.boolean()]).default('n'),
  }),
  schemas: z.array(z.string()).optional(),
});

/** Tells whether a publication is one of all tables, which only a superuser can create. */
export function isOfAllTables(definition: string): boolean {
  return factsOf(Publication, definition)?.flags.puballtables === true;
}

/** SQL for publications of all tables, and for the schemas of the others. */
export function renderPublications(wanted: readonly Wanted[]): readonly string[] {
  return wanted.flatMap(({ name, definition, present }) => {
    const facts = factsOf(Publication, definition);
    if (facts === undefined) return [];
    const { flags, schemas = [] } = facts;
    if (!flags.puballtables) {
      const there = present === null ? undefined : factsOf(Publication, present);
      const missing = schemas.filter((schema) => there?.schemas?.includes(schema) !== true);
      return there === undefined
        ? []
        : missing.map((schema) => `ALTER PUBLICATION ${again(name)} ADD TABLES IN SCHEMA ${quoteIdentifier(schema)}`);
    }
    if (present !== null) return [];
    const operations = (['insert', 'update', 'delete', 'truncate'] as const).filter((operation) => flags[`pub${operation}`]);
    const generated = flags.pubgencols === 's' ? ', publish_generated_columns = stored' : '';
    return [
      `CREATE PUBLICATION ${again(name)} FOR ALL TABLES WITH (publish = ${quoteLiteral(operations.join(', '))}, publish_via_partition_root = ${flags.pubviaroot}${generated})`,
    ];
  });
}

const COMMENTED: Readonly<Record<string, string>> = {
  'event trigger': 'EVENT TRIGGER',
  extension: 'EXTENSION',
  'foreign-data wrapper': 'FOREIGN DATA WRAPPER',
  publication: 'PUBLICATION',
};

/** SQL for comments on what belongs to the administrator. */
export function renderComments(wanted: readonly Wanted[]): readonly string[] {
  return wanted.flatMap(({ name, definition }) => {
    const type = Object.keys(COMMENTED).find((prefix) => name.startsWith(`${prefix} `));
    if (type === undefined) return [];
    return [`COMMENT ON ${COMMENTED[type]} ${again(name.slice(type.length + 1))} IS ${quoteLiteral(definition)}`];
  });
}
