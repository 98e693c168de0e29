/**
 * The data that the corpus damages: small, with at least one of every kind of object that a restore can lose. The same for both engines;
 * names without a schema are created in the project's own.
 */
export const SOURCE = `
CREATE TYPE mood AS ENUM ('calm', 'wild');
CREATE TABLE customers (
  id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL DEFAULT 'nobody',
  email public.citext UNIQUE,
  mood mood NOT NULL DEFAULT 'calm',
  CONSTRAINT customers_named CHECK (name <> '')
);
CREATE TABLE orders (
  id bigserial PRIMARY KEY,
  customer_id integer NOT NULL CONSTRAINT orders_customer REFERENCES customers,
  total numeric(10, 2) NOT NULL,
  note varchar(20)
);
CREATE TABLE pairs (a text, b text);
INSERT INTO customers (name, email) SELECT 'customer ' || i, i || '@example.org' FROM generate_series(1, 300) i;
INSERT INTO orders (customer_id, total, note) SELECT 1 + i % 300, i * 1.25, 'note ' || i FROM generate_series(1, 2000) i;
INSERT INTO pairs VALUES ('1', 'x'), ('2', 'y'), ('2', 'y'), ('', NULL);
CREATE INDEX orders_note ON orders (note) WHERE total > 10;
CREATE SEQUENCE tickets;
SELECT setval('tickets', 41);
CREATE FUNCTION vat(net numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT net * 1.19';
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER stamp_orders BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION stamp();
CREATE VIEW large_orders AS SELECT id, total FROM orders WHERE total > 100;
CREATE MATERIALIZED VIEW totals AS SELECT customer_id, sum(total) AS total FROM orders GROUP BY customer_id;
ALTER TABLE orders ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_orders ON orders FOR SELECT TO authenticated USING (customer_id = 1);
COMMENT ON TABLE customers IS 'who buys';
GRANT SELECT ON customers TO anon;
`;

/** Only in a database of its own: extensions, and large objects. */
export const DEDICATED_SOURCE = `
CREATE EXTENSION citext SCHEMA public;
CREATE EXTENSION pg_trgm SCHEMA public;
${SOURCE}
SELECT lo_from_bytea(4711, 'hello');
`;

/** What the administrator of the pooled cluster has created for tenants. */
export const CLUSTER_SOURCE = 'CREATE EXTENSION IF NOT EXISTS citext SCHEMA public;';
