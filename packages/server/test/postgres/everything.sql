CREATE ROLE app_owner; CREATE ROLE app_reader; CREATE ROLE "Odd role"; CREATE ROLE flux_backup;
GRANT app_reader TO "Odd role";
CREATE SCHEMA ext; CREATE EXTENSION citext SCHEMA ext; CREATE EXTENSION pgcrypto SCHEMA ext; CREATE EXTENSION hstore; CREATE EXTENSION pg_trgm;
CREATE TYPE mood AS ENUM ('sad', 'ok', 'it''s \ fine');
CREATE DOMAIN email AS ext.citext CONSTRAINT looks_like CHECK (VALUE ~ '@') DEFAULT 'a@b';
CREATE DOMAIN status AS varchar(20) CHECK (VALUE IN ('open', 'closed'));
CREATE TYPE point3 AS (x float8, y float8, z float8);
CREATE TYPE float_range AS RANGE (SUBTYPE = float8, SUBTYPE_DIFF = float8mi);
CREATE COLLATION german (PROVIDER = libc, LOCALE = 'C.UTF-8');
CREATE TABLE types (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, i2 int2, i4 int4, n numeric, n2 numeric(10, 2), f4 float4, f8 float8, m money, t text, v varchar(30), c char(5), c1 "char", nm name,
  b bytea, ts timestamp, tz timestamptz, d date, ti time, tt timetz, iv interval, bo boolean, mo mood, moa mood[], p point, l line, ls lseg, bx box, pa path, po polygon, ci circle,
  inet inet, cidr cidr, mac macaddr, mac8 macaddr8, bi bit(5), vb varbit, tsv tsvector, tsq tsquery, u uuid, x xml, j json, jb jsonb, jp jsonpath, ia int[], taa text[][],
  r4 int4range, r8 int8range, nr numrange, tr tsrange, tzr tstzrange, dr daterange, fr float_range, mr int4multirange, em email, st status, p3 point3, p3a point3[],
  rc regclass, rp regproc, rt regtype, ro regrole, rn regnamespace, lsn pg_lsn, sn pg_snapshot, oid oid, hs hstore, ct ext.citext, g text COLLATE german);
INSERT INTO types VALUES (DEFAULT, 1, 2, 1.0, 3.5, 'NaN', 'NaN', 12.34, '', '', 'ab', 'x', 'name', '\x00ff', '2020-01-01 00:00:00.000001', '2020-06-01 12:00+02', 'infinity', '24:00', '12:00+05', '1 mon 3 days -02:00:00.5', true,
  'it''s \ fine', '{sad,NULL,ok}', '(1,2)', '{1,2,3}', '[(0,0),(1,1)]', '(2,2),(0,0)', '[(0,0),(1,1)]', '((0,0),(1,1),(1,0))', '<(0,0),5>',
  '10.0.0.1/8', '10.0.0.0/8', '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05', B'10101', B'1', 'a:1 fat:2A', 'fat & !rat', '00000000-0000-0000-0000-000000000001', '<a>b</a>', '{"a": 1,  "a": 2}', '{"a": [1.0, null]}', '$.a[*]', '{1,NULL,3}', '{{a,b},{"c,d",e}}',
  '[1,5)', 'empty', '(,1.50]', '[2020-01-01,)', '[2020-01-01 00:00+00,)', '[2020-01-01,2020-01-05)', '[1.5,2.5)', '{[1,2),[5,7)}', 'A@b.C', 'open', '(1,-0,NaN)', '{"(1,2,3)",NULL}',
  'types', 'now', 'mood', 'app_owner', 'public', '16/B374D848', '10:20:10,14,15', 4294967295, '"a"=>"b", "c"=>NULL', 'Mixed', 'ä');
INSERT INTO types (f4, f8, n, iv, p3, t, j) VALUES ('-0', '-0', 1.00, '30 days', '(,,)', NULL, 'null'), ('0', '0', 'Infinity', '1 mon', NULL, 'x', NULL), ('inf', '-inf', 'NaN', '-5 years', NULL, E'\\N', '""') ON CONFLICT DO NOTHING;
CREATE TABLE no_columns (); INSERT INTO no_columns DEFAULT VALUES; INSERT INTO no_columns DEFAULT VALUES;
CREATE TABLE empty_table (x int);
CREATE UNLOGGED TABLE unlogged (x int); INSERT INTO unlogged VALUES (1);
CREATE TEMP TABLE temporary (x int);
CREATE SCHEMA "Mixed ""Case"" schema
with newline";
CREATE TABLE "Mixed ""Case"" schema
with newline"."Table; DROP TABLE x; --" ("Col ' umn" int PRIMARY KEY, "select" text DEFAULT E'a\\b''c\n', "Zähler" int CHECK ("Zähler" > 0));
INSERT INTO "Mixed ""Case"" schema
with newline"."Table; DROP TABLE x; --" VALUES (1, E'new\nline', 5);
CREATE INDEX "odd ""index""" ON "Mixed ""Case"" schema
with newline"."Table; DROP TABLE x; --" (lower("select")) WHERE "Zähler" > 1;
-- circular foreign keys, and one that points at itself
CREATE TABLE teams (id int PRIMARY KEY, captain int); CREATE TABLE players (id int PRIMARY KEY, team int REFERENCES teams DEFERRABLE INITIALLY DEFERRED, mentor int REFERENCES players, role varchar(10) NOT NULL CHECK (role IN ('goal', 'field')));
ALTER TABLE teams ADD CONSTRAINT captain_fk FOREIGN KEY (captain) REFERENCES players;
BEGIN; INSERT INTO players SELECT i, 1, 1, 'goal' FROM generate_series(1, 200) i; INSERT INTO teams VALUES (1, 7); COMMIT;
ALTER TABLE players ADD CONSTRAINT not_validated CHECK (id < 100000) NOT VALID;
ALTER TABLE players ADD COLUMN dropped int; ALTER TABLE players DROP COLUMN dropped; ALTER TABLE players ADD COLUMN late text; ALTER TABLE players ALTER late SET STORAGE EXTERNAL, ALTER late SET STATISTICS 7, ALTER late SET (n_distinct = 5);
CREATE INDEX players_trgm ON players USING gin (late gin_trgm_ops); CLUSTER players USING players_pkey; CREATE UNIQUE INDEX players_replica ON players (id, role); ALTER TABLE players REPLICA IDENTITY USING INDEX players_replica;
ALTER TABLE players SET (fillfactor = 70, autovacuum_enabled = false); CREATE STATISTICS player_stats (ndistinct, dependencies) ON id, team FROM players;
CREATE TABLE booking (room int, during tsrange, EXCLUDE USING gist (during WITH &&));
-- partitions: list with ranges below, hash; columns in other orders; an index and a key over all
CREATE TABLE measures (city text, logdate date NOT NULL, peak int, PRIMARY KEY (city, logdate)) PARTITION BY LIST (city);
CREATE TABLE measures_a PARTITION OF measures FOR VALUES IN ('a', 'b') PARTITION BY RANGE (logdate);
CREATE TABLE measures_a_2020 PARTITION OF measures_a FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TABLE measures_other (peak int, logdate date NOT NULL, gone int, city text NOT NULL); ALTER TABLE measures_other DROP COLUMN gone;
ALTER TABLE measures ATTACH PARTITION measures_other DEFAULT;
CREATE INDEX measures_peak ON measures (peak); ALTER TABLE measures ADD COLUMN team int REFERENCES teams;
INSERT INTO measures SELECT chr(97 + i % 5), '2020-03-01'::date + i % 200, i, 1 FROM generate_series(1, 50) i ON CONFLICT DO NOTHING;
CREATE TABLE hashed (k int, v text) PARTITION BY HASH (k); CREATE TABLE hashed_0 PARTITION OF hashed FOR VALUES WITH (MODULUS 2, REMAINDER 0); CREATE TABLE hashed_1 PARTITION OF hashed FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO hashed SELECT i, md5(i::text) FROM generate_series(1, 100) i;
-- inheritance, with a column that came to the parent later
CREATE TABLE parent (a int, b text CHECK (b <> '')); CREATE TABLE child (c int DEFAULT 5) INHERITS (parent); ALTER TABLE parent ADD COLUMN d date DEFAULT '2020-01-01';
INSERT INTO parent VALUES (1, 'p'); INSERT INTO child VALUES (2, 'c', 3);
CREATE TABLE generated (w int, h int, area int GENERATED ALWAYS AS (w * h) STORED, by_default int GENERATED BY DEFAULT AS IDENTITY (START 10 INCREMENT -2 MAXVALUE 100), old serial);
INSERT INTO generated (w, h) SELECT i, i FROM generate_series(1, 5) i;
CREATE SEQUENCE counting_down INCREMENT -3 MINVALUE -1000 MAXVALUE 5 START 5 CYCLE; SELECT nextval('counting_down'), nextval('counting_down'); CREATE SEQUENCE unused START 42; CREATE SEQUENCE set_back; SELECT setval('set_back', 77, false);
-- behaviour
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE TRIGGER touch_players BEFORE UPDATE OF role ON players FOR EACH ROW WHEN (OLD.role IN ('goal', 'field')) EXECUTE FUNCTION touch('arg');
CREATE TRIGGER disabled AFTER INSERT ON measures FOR EACH ROW EXECUTE FUNCTION touch(); ALTER TABLE measures DISABLE TRIGGER disabled;
CREATE FUNCTION adds(a int, b int DEFAULT 2, VARIADIC rest int[] DEFAULT '{}') RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE SET work_mem = '8MB' AS 'SELECT a + b';
CREATE FUNCTION standard_body(a int) RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT a + 1; END;
CREATE PROCEDURE proc(INOUT a int) LANGUAGE plpgsql AS $$ BEGIN a := 1; END $$;
CREATE AGGREGATE my_sum (int) (SFUNC = int4pl, STYPE = int, INITCOND = '0');
CREATE FUNCTION same(int, int) RETURNS bool LANGUAGE sql AS 'SELECT $1 = $2'; CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = same, COMMUTATOR = ===);
CREATE OPERATOR CLASS my_ops FOR TYPE int USING hash AS OPERATOR 1 =, FUNCTION 1 hashint4(int);
CREATE FUNCTION to_mood(int) RETURNS mood LANGUAGE sql AS $$SELECT 'ok'::mood$$; CREATE CAST (int AS mood) WITH FUNCTION to_mood(int) AS ASSIGNMENT;
CREATE TEXT SEARCH CONFIGURATION my_search (COPY = simple); CREATE TEXT SEARCH DICTIONARY my_dict (TEMPLATE = simple, ACCEPT = false);
CREATE RULE no_delete AS ON DELETE TO teams DO INSTEAD NOTHING;
CREATE FUNCTION notice_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$; CREATE EVENT TRIGGER ddl ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION notice_ddl();
-- views upon views, materialized ones as well, one of them without data
CREATE VIEW goalkeepers WITH (security_barrier) AS SELECT id, role FROM players WHERE role IN ('goal', 'x') WITH LOCAL CHECK OPTION;
CREATE VIEW grouped AS SELECT p.*, t.captain FROM players p JOIN teams t ON t.id = p.team WHERE p.role = ANY (ARRAY['goal', 'field']);
CREATE MATERIALIZED VIEW counts AS SELECT role, count(*) AS n FROM players GROUP BY role; CREATE MATERIALIZED VIEW counts_of_counts AS SELECT sum(n) AS total FROM counts; CREATE UNIQUE INDEX ON counts (role);
CREATE MATERIALIZED VIEW unpopulated AS SELECT 1 AS x WITH NO DATA; CREATE MATERIALIZED VIEW stale AS SELECT now() AS at;
CREATE RECURSIVE VIEW numbers (n) AS VALUES (1) UNION ALL SELECT n + 1 FROM numbers WHERE n < 3;
CREATE INDEX partial ON players (team) WHERE role IN ('goal', 'field') AND late IS NULL;
-- rights
ALTER TABLE players ENABLE ROW LEVEL SECURITY; ALTER TABLE players FORCE ROW LEVEL SECURITY; CREATE POLICY own ON players FOR SELECT TO app_reader, PUBLIC USING (role IN ('goal', 'field')); CREATE POLICY strict ON players AS RESTRICTIVE FOR UPDATE TO "Odd role" WITH CHECK (id > 0);
ALTER TABLE teams OWNER TO app_owner; GRANT SELECT, UPDATE ON teams TO app_reader WITH GRANT OPTION; GRANT SELECT (id), UPDATE (late) ON players TO app_reader; REVOKE ALL ON teams FROM app_owner; GRANT SELECT ON teams TO app_owner; GRANT SELECT ON ALL TABLES IN SCHEMA public TO flux_backup;
REVOKE EXECUTE ON FUNCTION adds FROM PUBLIC; GRANT EXECUTE ON FUNCTION adds TO "Odd role"; GRANT USAGE ON TYPE mood TO app_reader; GRANT USAGE ON SEQUENCE unused TO app_reader; GRANT CREATE ON SCHEMA public TO app_owner;
ALTER DEFAULT PRIVILEGES FOR ROLE app_owner IN SCHEMA public GRANT SELECT ON TABLES TO app_reader; ALTER DEFAULT PRIVILEGES FOR ROLE app_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
CREATE MATERIALIZED VIEW owned AS SELECT captain FROM teams; ALTER MATERIALIZED VIEW owned OWNER TO app_owner;
-- comments, publications, large objects, foreign tables
COMMENT ON TABLE players IS E'it''s\nplayers'; COMMENT ON COLUMN players.role IS 'role'; COMMENT ON CONSTRAINT captain_fk ON teams IS 'fk'; COMMENT ON FUNCTION adds(int, int, int[]) IS 'f'; COMMENT ON POLICY own ON players IS 'p'; COMMENT ON TRIGGER touch_players ON players IS 't'; COMMENT ON SCHEMA ext IS 's'; COMMENT ON TYPE mood IS 'e'; COMMENT ON INDEX partial IS 'i'; COMMENT ON SCHEMA public IS 'ours';
CREATE PUBLICATION part FOR TABLE players (id, role) WHERE (role = 'goal'), teams WITH (publish = 'insert'); CREATE PUBLICATION whole_schema FOR TABLES IN SCHEMA ext; CREATE PUBLICATION all_tables FOR ALL TABLES;
SELECT lo_from_bytea(0, 'hello'), lo_from_bytea(0, ''), lo_from_bytea(0, decode(repeat('00ff10', 3000), 'hex')); SELECT lo_put(lo_create(0), 100000, 'sparse');
CREATE FOREIGN DATA WRAPPER nothing; CREATE SERVER elsewhere FOREIGN DATA WRAPPER nothing OPTIONS (host 'h'); CREATE FOREIGN TABLE remote (x int) SERVER elsewhere OPTIONS (t 'y'); CREATE USER MAPPING FOR app_reader SERVER elsewhere OPTIONS (password 'secret-word');
ALTER TYPE mood ADD VALUE 'glad' BEFORE 'ok';
