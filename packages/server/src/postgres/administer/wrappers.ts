import { z } from 'zod';
import type { PostgresSession } from '../connect.ts';
import type { SchemaObject } from '../manifest.ts';
import { quoteIdentifier, quoteLiteral, splitQualifiedName, unquoteIdentifier } from '../sql/quote.ts';
import { factsOf } from './difference.ts';

/** `regproc` prints a hyphen where there is no function. */
const NONE = '-';
const Wrapper = z.object({ handler: z.string(), validator: z.string(), options: z.array(z.string()).default([]) });

/**
 * SQL for foreign data wrappers that belong to no extension. Their functions are those of Postgres or of an extension, never the owner's:
 * Postgres calls a validator with the rights of whoever creates something.
 */
export async function renderWrappers(session: PostgresSession, objects: readonly SchemaObject[]): Promise<readonly string[]> {
  const wanted = objects.filter(({ kind }) => kind === 'foreign_data_wrapper');
  if (wanted.length === 0) return [];
  const there = await session.query<{ name: string }>('SELECT quote_ident(fdwname) AS name FROM pg_foreign_data_wrapper');
  const trusted = await session.query<{ schema: string; name: string }>(
    `SELECT n.nspname AS schema, p.proname AS name FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
     WHERE l.lanname IN ('c', 'internal')
       AND (p.prorettype = 'fdw_handler'::regtype OR (p.pronargs = 2 AND p.proargtypes[0] = 'text[]'::regtype AND p.proargtypes[1] = 'oid'::regtype))`,
  );
  const functionOf = (text: string) => {
    const parts = splitQualifiedName(text).map(unquoteIdentifier);
    const [schema, name] = parts.length === 1 ? ['pg_catalog', parts[0]] : parts;
    const found = trusted.find((other) => other.schema === schema && other.name === name);
    return found && `${quoteIdentifier(found.schema)}.${quoteIdentifier(found.name)}`;
  };
  return wanted.flatMap(({ name, definition }) => {
    const facts = factsOf(Wrapper, definition);
    if (facts === undefined || there.some((wrapper) => wrapper.name === name)) return [];
    const parts = (['handler', 'validator'] as const)
      .filter((part) => facts[part] !== NONE)
      .map((part) => ({ part, called: functionOf(facts[part]) }));
    if (parts.some(({ called }) => called === undefined)) return [];
    const options = facts.options.map((option) => {
      const at = option.indexOf('=');
      return `${quoteIdentifier(option.slice(0, at))} ${quoteLiteral(option.slice(at + 1))}`;
    });
    return [
      [
        `CREATE FOREIGN DATA WRAPPER ${quoteIdentifier(unquoteIdentifier(name))}`,
        ...parts.map(({ part, called }) => `${part.toUpperCase()} ${called}`),
        ...(options.length === 0 ? [] : [`OPTIONS (${options.join(', ')})`]),
      ].join(' '),
    ];
  });
}
