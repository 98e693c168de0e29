import type { Manifest } from '../../postgres/manifest.ts';

/** Errors of pg_restore that the source causes: it fails everywhere, and for the next backup as well. They are texts of another program. */
const CURES: readonly (readonly [RegExp, string])[] = [
  [
    /(function|relation|type|operator) .*does not exist/,
    'a function there names something without its schema, which no restore finds. To cure it, write the schema, or ALTER FUNCTION ... SET search_path.',
  ],
  [/violates foreign key constraint/, 'rows there refer to rows that do not exist. To cure it, correct or delete them.'],
  [
    /could not create unique index|violates unique constraint/,
    'rows there are equal under a unique index. To cure it, delete those that are too many, and REINDEX.',
  ],
  [
    /violates check constraint/,
    'a constraint there depends on other tables, on functions or on the time, and refuses rows now that it once accepted. To cure it, make it a trigger, or NOT VALID.',
  ],
  [
    /must be marked NOT NULL|contains null values|violates not-null constraint/,
    'a column there may be null where its parent or its type says otherwise. To cure it, set both alike.',
  ],
];

/** What the casts of a tenant's types lead to: they are created after everything that the dump of its schema holds. */
const OF_CASTS: readonly [RegExp, string] = [
  /cannot cast type|operator .*does not exist|is of type .{1,300} but .{0,300}expression is of type/,
  'a view or an expression there uses a cast of a type of the schema. A cast belongs to no schema, so it is created after everything that the dump of one schema holds. To cure it, write the call of its function instead of the cast.',
];

/**
 * What causes a failed restore in the source, and the cure there; empty when the error says nothing about that.
 *
 * @param manifest of the backup that was restored
 */
export function cureFor(message: string, { schema, objects }: Pick<Manifest, 'schema' | 'objects'>): string {
  const hasCasts = schema !== null && objects.some(({ kind }) => kind === 'cast');
  const [, cure] = [...(hasCasts ? [OF_CASTS] : []), ...CURES].find(([pattern]) => pattern.test(message)) ?? [];
  return cure === undefined ? '' : ` The cause is in the source: ${cure} Another backup fails in the same way until then.`;
}
