CREATE ROLE app_login LOGIN;
CREATE ROLE platform;
CREATE SCHEMA extensions;
CREATE EXTENSION citext SCHEMA public;
CREATE EXTENSION unaccent SCHEMA public;
CREATE EXTENSION pgcrypto SCHEMA extensions;
GRANT USAGE ON SCHEMA extensions TO app_login;

-- What a hosted service has for itself: the login may not read it.
CREATE SCHEMA auth AUTHORIZATION platform;
CREATE TABLE auth.users (id uuid PRIMARY KEY, email text);
ALTER TABLE auth.users OWNER TO platform;
CREATE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE AS $$ SELECT nullif(current_setting('request.sub', true), '')::uuid $$;
ALTER FUNCTION auth.uid() OWNER TO platform;
CREATE FUNCTION auth.watch() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$;
CREATE EVENT TRIGGER watch ON sql_drop EXECUTE FUNCTION auth.watch();
CREATE SCHEMA vault AUTHORIZATION platform;
CREATE TABLE vault.secrets (id int GENERATED ALWAYS AS IDENTITY, secret text);
ALTER TABLE vault.secrets OWNER TO platform;
COMMENT ON TABLE vault.secrets IS 'nobody''s business';
REVOKE ALL ON SCHEMA auth, vault FROM PUBLIC;

SET ROLE app_login;
RESET ROLE;
CREATE TYPE public.size AS ENUM ('s', 'm', 'l');
CREATE TABLE public.notes (id serial PRIMARY KEY, body citext);
INSERT INTO public.notes (body) VALUES ('a'), ('b'), ('c');

CREATE SCHEMA app AUTHORIZATION app_login;
CREATE TYPE app.mood AS ENUM ('good', 'bad');
CREATE FUNCTION app.weight(app.mood) RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT CASE WHEN $1 = 'good' THEN 1 ELSE 0 END $$;
CREATE CAST (app.mood AS int) WITH FUNCTION app.weight(app.mood);
CREATE TABLE app.orders (id int PRIMARY KEY, email public.citext, size public.size, key uuid DEFAULT extensions.gen_random_uuid(), by uuid);
INSERT INTO app.orders SELECT i, 'Name' || i || '@x', 'm' FROM generate_series(1, 100) i;
ALTER TABLE app.orders ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON app.orders USING (by = auth.uid());
ALTER TABLE app.orders OWNER TO app_login;
COMMENT ON TABLE app.orders IS 'what was bought';
COMMENT ON POLICY own ON app.orders IS 'one''s own';

CREATE TABLE app.logs (id bigserial, at date, text text, order_id int REFERENCES app.orders, length int GENERATED ALWAYS AS (length(text)) STORED) PARTITION BY RANGE (at);
CREATE TABLE app.log_2024 PARTITION OF app.logs FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE app.log_2025 PARTITION OF app.logs FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
INSERT INTO app.logs (at, text, order_id) SELECT date '2024-12-01' + i, 'line ' || i, i FROM generate_series(1, 50) i;
CREATE MATERIALIZED VIEW app.log_counts AS SELECT at, count(*) FROM app.logs GROUP BY at;
CREATE TABLE app.logs_private (id int);
INSERT INTO app.logs_private VALUES (1);
ALTER TABLE app.logs_private ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.logs_private OWNER TO platform;
GRANT SELECT ON app.logs_private TO app_login;
GRANT SELECT ON ALL TABLES IN SCHEMA app, public TO app_login;
GRANT SELECT ON ALL SEQUENCES IN SCHEMA app, public TO app_login;

CREATE SCHEMA "Odd?.x";
GRANT USAGE ON SCHEMA "Odd?.x" TO app_login;
CREATE TABLE "Odd?.x"."Big" (id int);
INSERT INTO "Odd?.x"."Big" VALUES (1), (2);
CREATE TABLE "Odd?.x".small (id int);
INSERT INTO "Odd?.x".small VALUES (1);
GRANT SELECT ON ALL TABLES IN SCHEMA "Odd?.x" TO app_login;

CREATE PUBLICATION changes FOR TABLE app.orders, auth.users;
SELECT lo_from_bytea(4711, 'x');
GRANT SELECT ON LARGE OBJECT 4711 TO app_login;
ALTER DEFAULT PRIVILEGES FOR ROLE platform IN SCHEMA vault GRANT SELECT ON TABLES TO platform;
ALTER DEFAULT PRIVILEGES FOR ROLE app_login IN SCHEMA app GRANT SELECT ON TABLES TO platform;
