import type { ArchiveEntry } from '../archive/toc.ts';
import type { DumpedStatements, Manifest } from '../manifest.ts';
import { splitQualifiedName, unquoteIdentifier } from '../sql/quote.ts';
import type { ChangedDefinition } from './changed-definitions.ts';
import { type Facts, parseFacts } from './facts.ts';

const RELATIONS = ['TABLE', 'FOREIGN TABLE', 'VIEW', 'MATERIALIZED VIEW'];
const CONSTRAINTS = ['CONSTRAINT', 'CHECK CONSTRAINT', 'FK CONSTRAINT'];
const ROUTINES = ['FUNCTION', 'PROCEDURE', 'AGGREGATE'];
const TYPES = ['TYPE', 'SHELL TYPE', 'DOMAIN'];

/** Kinds of objects in a manifest that pg_dump describes in one entry of the same name, perhaps with parts. */
const BY_NAME: Readonly<Record<string, { readonly kinds: readonly string[]; readonly parts?: readonly string[] }>> = {
  table: { kinds: [...RELATIONS, 'TABLE ATTACH'] },
  foreign_table: { kinds: [...RELATIONS, 'TABLE ATTACH'] },
  view: { kinds: RELATIONS },
  materialized_view: { kinds: RELATIONS },
  sequence: { kinds: ['SEQUENCE', 'SEQUENCE OWNED BY'] },
  statistics: { kinds: ['STATISTICS'] },
  domain: { kinds: TYPES, parts: ['CHECK CONSTRAINT'] },
  type: { kinds: TYPES },
  collation: { kinds: ['COLLATION'] },
  conversion: { kinds: ['CONVERSION'] },
  text_search_dictionary: { kinds: ['TEXT SEARCH DICTIONARY'] },
  text_search_configuration: { kinds: ['TEXT SEARCH CONFIGURATION'] },
  text_search_parser: { kinds: ['TEXT SEARCH PARSER'] },
  text_search_template: { kinds: ['TEXT SEARCH TEMPLATE'] },
  event_trigger: { kinds: ['EVENT TRIGGER'] },
};
/** Parts of a relation: an entry has the name of the relation before theirs. */
const PARTS: Readonly<Record<string, readonly string[]>> = { trigger: ['TRIGGER'], policy: ['POLICY'], rule: ['RULE'] };
/** A view that depends on itself through others is completed by this rule. */
const OF_VIEW = '_RETURN';

const RECORDED: ReadonlySet<string> = new Set([
  ...Object.values(BY_NAME).flatMap(({ kinds, parts = [] }) => [...kinds, ...parts]),
  ...Object.values(PARTS).flat(),
  ...CONSTRAINTS,
  ...ROUTINES,
  'DEFAULT',
  'INDEX',
  'INDEX ATTACH',
]);

/** What an archive says of the objects whose definitions are compared. Grants, comments and data are compared as what they are. */
export function statementsOf(entries: readonly ArchiveEntry[]): DumpedStatements[] {
  const groups = new Map<string, { kind: string; schema: string | null; digests: (readonly [string, string])[] }>();
  for (const { kind, schema, tag, statementSha256 } of entries) {
    if (!RECORDED.has(kind)) continue;
    const key = `${kind}\n${schema ?? ''}`;
    const group = groups.get(key) ?? { kind, schema, digests: [] };
    groups.set(key, group);
    group.digests.push([tag, statementSha256]);
  }
  return [...groups.values()];
}

/** One of them. */
interface Statement {
  readonly kind: string;
  readonly schema: string | null;
  readonly name: string;
  readonly sha256: string;
}

/** Statements that can be found by what they are about. */
interface StatementIndex {
  /** Those of these kinds whose tag is this. */
  named(kinds: readonly string[], schema: string, tag: string): readonly Statement[];
  /** Those of these kinds whose tag begins with this and a blank or a bracket. */
  partsOf(kinds: readonly string[], schema: string, name: string): readonly Statement[];
}

/** Returns the statements that an object depends on; all of them must be equal. */
type About = (index: StatementIndex) => readonly Statement[];

/**
 * The objects of which pg_dump says the same in both lists. Some object's definition differs nevertheless: then no dump carries the
 * difference.
 *
 * @param expected from the manifest
 * @param found of a dump of the restored database
 * @returns those of `changed` that are such
 */
export function findSameStatements(
  { objects, statements: expected = [] }: Pick<Manifest, 'objects' | 'statements'>,
  found: readonly DumpedStatements[],
  changed: readonly ChangedDefinition[],
): ChangedDefinition[] {
  const [before, after] = [indexStatements(expected), indexStatements(found)];
  const tables = new Map(
    objects.filter(({ kind }) => kind === 'table' || kind === 'foreign_table').map(({ name, definition }) => [name, definition]),
  );
  const parsed = new Map<string, Facts>();
  const factsOf = (name: string) => {
    const facts = parsed.get(name) ?? parseFacts(tables.get(name) ?? '{}');
    parsed.set(name, facts);
    return facts;
  };
  return changed.filter((object) => {
    const about = statementsAbout(object, factsOf);
    if (about === undefined) return false;
    const [there, here] = [about(before), about(after)];
    return there.length > 0 && digestsOf(there) === digestsOf(here);
  });
}

/**
 * What must be equal for an object; undefined for kinds whose definition is not wholly in the statements that bear their name. Those would
 * be excused for what stands elsewhere, as the members of an operator family stand with its classes.
 *
 * @param factsOf the facts of a table in the manifest
 */
function statementsAbout(object: ChangedDefinition, factsOf: (table: string) => Facts): About | undefined {
  const { kind } = object;
  const [schema = '', first = '', last = ''] = splitQualifiedName(object.name).map(unquoteIdentifier);
  const byName = BY_NAME[kind];
  if (byName !== undefined) {
    // Whether a view is filled stands with the data.
    if (kind === 'materialized_view' && differIn(object, 'populated')) return undefined;
    const [place, name] = kind === 'event_trigger' ? ['', schema] : [schema, first];
    return (index) => [
      ...index.named(byName.kinds, place, name),
      ...index.named(['RULE'], place, `${name} ${OF_VIEW}`),
      ...index.partsOf(byName.parts ?? [], place, name),
    ];
  }
  if (['function', 'procedure', 'aggregate'].includes(kind)) return (index) => index.partsOf(ROUTINES, schema, nameOfRoutine(object.name));
  if (kind === 'index') {
    const table = tableOfIndex(object.expected);
    return (index) => [
      ...index.named(['INDEX', 'INDEX ATTACH'], schema, first),
      ...(table === undefined ? [] : index.named(['CONSTRAINT'], schema, `${table} ${first}`)),
    ];
  }
  const kinds = PARTS[kind];
  // An identity column is described by its sequence.
  if (kinds === undefined && kind !== 'constraint' && (kind !== 'column' || differIn(object, 'identity'))) return undefined;
  const relations = withAncestors(object.name, factsOf);
  const ofAll = (take: (place: string, relation: string) => readonly Statement[]) =>
    relations.flatMap((name) => {
      const [place = '', relation = ''] = splitQualifiedName(name).map(unquoteIdentifier);
      return take(place, relation);
    });
  if (kinds !== undefined) return (index) => ofAll((place, relation) => index.named(kinds, place, `${relation} ${last}`));
  return (index) =>
    ofAll((place, relation) => [
      ...index.named([...RELATIONS, ...TYPES, 'TABLE ATTACH'], place, relation),
      ...index.named(['RULE'], place, `${relation} ${OF_VIEW}`),
      ...index.named(['DEFAULT', ...CONSTRAINTS], place, `${relation} ${last}`),
      // A primary key makes its columns NOT NULL.
      ...(kind === 'column' ? index.partsOf(CONSTRAINTS, place, relation) : []),
    ]);
}

function differIn({ expected, found }: ChangedDefinition, fact: string): boolean {
  return JSON.stringify(parseFacts(expected)[fact]) !== JSON.stringify(parseFacts(found)[fact]);
}

/** A relation and what it inherits from: tables, or the type that it is of. What it has from them stands only in their statements. */
function withAncestors(part: string, factsOf: (table: string) => Facts): readonly string[] {
  const [schema = '', relation = ''] = splitQualifiedName(part);
  const names = new Set([`${schema}.${relation}`]);
  for (const name of names) {
    const { inherits, 'of type': type } = factsOf(name);
    for (const ancestor of [...(Array.isArray(inherits) ? inherits : []), ...(type === undefined ? [] : [type])])
      names.add(String(ancestor));
  }
  return [...names];
}

/** `schema.name(arguments)`: the name. Overloaded ones are compared together. */
function nameOfRoutine(name: string): string {
  return unquoteIdentifier(/^(?:"(?:[^"]|"")*"|[^."]+)\.("(?:[^"]|"")*"|[^("]+)\(/.exec(name)?.[1] ?? '');
}

/** The table of an index, by the statement that creates it. */
function tableOfIndex(definition: string): string | undefined {
  const { definition: statement } = parseFacts(definition);
  const name = '(?:"(?:[^"]|"")*"|[^\\s".]+)';
  const found = new RegExp(`^CREATE (?:UNIQUE )?INDEX ${name} ON (?:ONLY )?(${name}\\.${name}) `).exec(String(statement))?.[1];
  return found === undefined ? undefined : splitQualifiedName(found).map(unquoteIdentifier)[1];
}

function indexStatements(groups: readonly DumpedStatements[]): StatementIndex {
  const byTag = new Map<string, Statement[]>();
  const byStart = new Map<string, Statement[]>();
  const add = (map: Map<string, Statement[]>, schema: string | null, name: string, statement: Statement) => {
    const key = `${schema ?? ''}\n${name}`;
    const there = map.get(key);
    if (there === undefined) map.set(key, [statement]);
    else there.push(statement);
  };
  for (const { kind, schema, digests } of groups)
    for (const [name, sha256] of digests) {
      const statement = { kind, schema, name, sha256 };
      add(byTag, schema, name, statement);
      // A name can contain a blank itself. To compare too many statements is harmless.
      for (const { index } of name.matchAll(/[ (]/g)) add(byStart, schema, name.slice(0, index), statement);
    }
  const take = (map: Map<string, Statement[]>, kinds: readonly string[], schema: string, name: string) =>
    (map.get(`${schema}\n${name}`) ?? []).filter(({ kind }) => kinds.includes(kind));
  return {
    named: (kinds, schema, tag) => take(byTag, kinds, schema, tag),
    partsOf: (kinds, schema, name) => take(byStart, kinds, schema, name),
  };
}

function digestsOf(statements: readonly Statement[]): string {
  return statements
    .map(({ kind, schema, name, sha256 }) => JSON.stringify([kind, schema, name, sha256]))
    .sort()
    .join('\n');
}
