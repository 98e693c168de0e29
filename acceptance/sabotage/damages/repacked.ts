import type { Damage, EngineKind, ExpectedDifference } from '../damage.ts';

/** `$` in a name stands for the schema of the tables. */
type Row = readonly [name: string, sql: string, ...differences: ExpectedDifference[]];

const CONTENT: readonly Row[] = [
  ['one row lost', `DELETE FROM pairs WHERE a = '1'`, ['rows', '$.pairs', 'changed']],
  ['one row of two equal ones lost', `DELETE FROM pairs WHERE ctid = '(0,3)'`, ['rows', '$.pairs', 'changed']],
  ['one row added', `INSERT INTO pairs VALUES (NULL, NULL)`, ['rows', '$.pairs', 'changed']],
  ['one value changed', 'UPDATE orders SET total = total + 0.01 WHERE id = 1234', ['rows', '$.orders', 'changed']],
  ['empty in place of null', `UPDATE pairs SET b = '' WHERE b IS NULL`, ['rows', '$.pairs', 'changed']],
  [
    'two rows that exchanged a value',
    `UPDATE orders SET note = CASE id WHEN 1 THEN 'note 2' ELSE 'note 1' END WHERE id IN (1, 2)`,
    ['rows', '$.orders', 'changed'],
  ],
  ['a sequence set back', `SELECT setval('tickets', 7)`, ['sequence_value', '$.tickets', 'changed']],
  [
    'the numbers of an identity column set back',
    'ALTER TABLE customers ALTER id RESTART',
    ['sequence_value', '$.customers_id_seq', 'changed'],
  ],
];

const OBJECTS: readonly Row[] = [
  ['an index missing', 'DROP INDEX orders_note', ['index', '$.orders_note', 'missing']],
  [
    'an index with another condition',
    'DROP INDEX orders_note; CREATE INDEX orders_note ON orders (note) WHERE total > 11',
    ['index', '$.orders_note', 'changed'],
  ],
  ['a policy missing', 'DROP POLICY own_orders ON orders', ['policy', '$.orders.own_orders', 'missing']],
  ['a policy widened', 'ALTER POLICY own_orders ON orders USING (true)', ['policy', '$.orders.own_orders', 'changed']],
  ['row level security switched off', 'ALTER TABLE orders DISABLE ROW LEVEL SECURITY', ['row_security', '$.orders', 'missing']],
  ['a trigger missing', 'DROP TRIGGER stamp_orders ON orders', ['trigger', '$.orders.stamp_orders', 'missing']],
  ['a trigger disabled', 'ALTER TABLE orders DISABLE TRIGGER stamp_orders', ['trigger', '$.orders.stamp_orders', 'changed']],
  [
    'the body of a function changed',
    `CREATE OR REPLACE FUNCTION vat(net numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT net * 1.91'`,
    ['function', '$.vat(net numeric)', 'changed'],
  ],
  [
    'a view changed',
    'CREATE OR REPLACE VIEW large_orders AS SELECT id, total FROM orders WHERE total > 1000',
    ['view', '$.large_orders', 'changed'],
  ],
  ['a foreign key missing', 'ALTER TABLE orders DROP CONSTRAINT orders_customer', ['constraint', '$.orders.orders_customer', 'missing']],
  ['a comment missing', 'COMMENT ON TABLE customers IS NULL', ['comment', 'table $.customers', 'missing']],
  ['a comment changed', `COMMENT ON TABLE customers IS 'who bought'`, ['comment', 'table $.customers', 'changed']],
  ['a label added to an enum', `ALTER TYPE mood ADD VALUE 'odd'`, ['enum', '$.mood', 'changed']],
  ['a column default changed', `ALTER TABLE customers ALTER name SET DEFAULT 'somebody'`, ['column', '$.customers.name', 'changed']],
  [
    'a check constraint missing',
    'ALTER TABLE customers DROP CONSTRAINT customers_named',
    ['constraint', '$.customers.customers_named', 'missing'],
  ],
];

/** Only for archives of a whole database. */
const DEDICATED_ONLY: readonly Row[] = [
  ['a large object changed', `SELECT lo_put(4711, 0, 'j')`, ['large_object', 'content of large objects', 'changed']],
  ['a large object missing', 'SELECT lo_unlink(4711)', ['large_object', 'large objects', 'missing']],
  [
    'a line added to the migration ledger',
    `INSERT INTO flux.flux_migrations (tenant_schema, version, filename, checksum) VALUES ('public', '9', '9.sql', 'x')`,
    ['rows', 'flux.flux_migrations', 'changed'],
  ],
  ['a grant missing', 'REVOKE SELECT ON customers FROM anon', ['grant', 'table $.customers to anon', 'missing']],
  ['a grant widened', 'GRANT UPDATE ON customers TO anon', ['grant', 'table $.customers to anon', 'changed']],
  ['a grant to everybody', 'GRANT SELECT ON orders TO PUBLIC', ['grant', 'table $.orders to PUBLIC', 'extra']],
  ['another owner', 'ALTER TABLE pairs OWNER TO anon', ['owner', 'table $.pairs', 'changed']],
  ['a view missing', 'DROP VIEW large_orders', ['view', '$.large_orders', 'missing']],
  ['a constraint relaxed', 'ALTER TABLE orders ALTER total DROP NOT NULL', ['column', '$.orders.total', 'changed']],
  ['a column shortened', 'ALTER TABLE orders ALTER note TYPE varchar(19)', ['column', '$.orders.note', 'changed']],
  ['a table that crashes lose', 'ALTER TABLE pairs SET UNLOGGED', ['table', '$.pairs', 'changed']],
  ['an extension missing', 'DROP EXTENSION pg_trgm', ['comment', 'extension pg_trgm', 'missing'], ['extension', 'pg_trgm', 'missing']],
  ['an extension in another schema', 'ALTER EXTENSION pg_trgm SET SCHEMA flux', ['extension', 'pg_trgm', 'changed']],
];

function fromRow(engine: EngineKind, about: 'content' | 'objects', [name, sql, ...differences]: Row): Damage {
  return {
    name,
    engine,
    about,
    catalogFits: true,
    make: ({ repack }) => repack(sql),
    expects: (schema) => ({
      verdict: 'failed',
      differences: differences.map(([kind, of, change]) => [kind, of.replace('$', schema), change] as const),
    }),
  };
}

/** Intact archives that restore without an error but do not contain what was dumped. */
export const REPACKED_DAMAGES: readonly Damage[] = [
  ...CONTENT.map((row) => fromRow('v1_dedicated', 'content', row)),
  ...[...OBJECTS, ...DEDICATED_ONLY].map((row) => fromRow('v1_dedicated', 'objects', row)),
  ...(['v1_dedicated', 'v2_shared'] as const).flatMap((engine): Damage[] => [
    {
      name: 'the data of one table missing',
      engine,
      about: 'content',
      catalogFits: true,
      make: ({ repack, schema }) => repack('', { dump: [`--exclude-table-data=${schema}.orders`] }),
      expects: (schema) => ({ verdict: 'failed', differences: [['rows', `${schema}.orders`, 'changed']] }),
    },
    {
      name: 'a whole table missing',
      engine,
      about: 'objects',
      catalogFits: true,
      make: ({ repack }) => repack('DROP TABLE pairs'),
      expects: (schema) => ({ verdict: 'failed', says: new RegExp(`${schema}\\.pairs`) }),
    },
    {
      name: `the tables in another ${engine === 'v2_shared' ? "tenant's " : ''}schema`,
      engine,
      about: 'objects',
      catalogFits: true,
      make: ({ elsewhere }) => elsewhere(),
      expects: (schema) => ({ verdict: 'failed', says: new RegExp(`${schema}\\b`) }),
    },
    {
      name: "another project's artifact in its place",
      engine,
      about: 'objects',
      catalogFits: true,
      make: ({ stranger }) => stranger,
      expects: (schema) => ({ verdict: 'failed', says: new RegExp(`${schema}\\b|stranger_v1_owner`) }),
    },
  ]),
  ...CONTENT.slice(0, 7).map((row) => fromRow('v2_shared', 'content', row)),
  ...OBJECTS.map((row) => fromRow('v2_shared', 'objects', row)),
];
