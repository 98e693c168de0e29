/// <reference path="./libpg-query.d.ts" />
import type { ParserInstance } from 'libpg-query/wasm/libpg-query.js';

/** A node of a parse tree as libpg_query writes it: one member named after the kind of node, with its fields. */
export type Tree = { readonly [name: string]: unknown };

/** The parse tree of a text, or why there is none. */
export type Parsed = { readonly tree: Tree } | { readonly refused: string };

/**
 * Postgres's own grammar and that of PL/pgSQL, of the major {@link GRAMMAR_MAJOR}. No text fails or ends the process: what the
 * parser cannot read, or what exhausts it, is `refused` with a reason that fits into a sentence.
 */
export interface Grammar {
  parseSql(text: string): Promise<Parsed>;
  /** @param statement a whole DO, CREATE FUNCTION or CREATE PROCEDURE in the language plpgsql */
  parsePlpgsql(statement: string): Promise<Parsed>;
}

/** The Postgres release whose grammar is used. Servers of 15 to 18 understand a part of it, but for removed oddities. */
export const GRAMMAR_MAJOR = 18;

/**
 * A longer text is refused unparsed: a tree takes about a hundred times the memory of its text, and the parser runs on the thread
 * that calls it (0.2 s for this much).
 */
const MAX_CHARACTERS = 512 * 1024;
/** An instance that needed this much memory, in bytes, is not used again: WebAssembly never gives memory back. */
const MAX_MEMORY = 256 * 1024 * 1024;
/** After so many texts that exhausted the parser no further one is tried, so that a hostile file cannot keep a process busy. */
const MAX_EXHAUSTIONS = 3;

/** The grammar, which loads its parser (1.7 MB of WebAssembly) when it is first asked. */
export function createGrammar(): Grammar {
  let loaded: ParserInstance | undefined;
  let exhaustions = 0;

  const run = async (text: string, parse: (parser: ParserInstance, query: number) => Parsed): Promise<Parsed> => {
    if (text.length > MAX_CHARACTERS) return { refused: `it is longer than ${MAX_CHARACTERS / 1024} KiB` };
    if (exhaustions >= MAX_EXHAUSTIONS) return { refused: 'statements before it exhausted the parser' };
    loaded ??= await instantiate();
    const parser = loaded;
    if (parser === undefined) return { refused: 'the SQL parser could not be loaded; reinstall Flux' };
    try {
      const parsed = withText(parser, text, (query) => parse(parser, query));
      if (parser.HEAPU8.length > MAX_MEMORY) loaded = undefined;
      return parsed;
    } catch {
      // The stack or the memory of the instance ran out inside of it; nothing is known of its state.
      loaded = undefined;
      exhaustions += 1;
      return { refused: 'it is nested too deeply or too large for the parser' };
    }
  };

  return { parseSql: (text) => run(text, readSql), parsePlpgsql: (statement) => run(statement, readPlpgsql) };
}

/** Undefined when the parser's files are missing, for example next to a copied flux.js: the push continues without an analysis. */
async function instantiate(): Promise<ParserInstance | undefined> {
  try {
    const { default: createInstance } = await import('libpg-query/wasm/libpg-query.js');
    return await createInstance();
  } catch {
    return undefined;
  }
}

function withText(parser: ParserInstance, text: string, use: (query: number) => Parsed): Parsed {
  const bytes = parser.lengthBytesUTF8(text) + 1;
  const query = parser._malloc(bytes);
  if (query === 0) throw new RangeError('out of memory');
  parser.stringToUTF8(text, query, bytes);
  const parsed = use(query);
  parser._free(query);
  return parsed;
}

/** Reads the struct PgQueryParseResult: addresses of the tree as JSON, of what went to stderr, and of the error. */
function readSql(parser: ParserInstance, query: number): Parsed {
  const result = parser._wasm_parse_query_raw(query);
  if (result === 0) throw new RangeError('out of memory');
  const error = parser.getValue(result + 8, 'i32');
  const json = error === 0 ? parser.UTF8ToString(parser.getValue(result, 'i32')) : '';
  const refused = error === 0 ? '' : parser.UTF8ToString(parser.getValue(error, 'i32'));
  parser._wasm_free_parse_result(result);
  return error === 0 ? { tree: JSON.parse(json) } : { refused };
}

function readPlpgsql(parser: ParserInstance, query: number): Parsed {
  const result = parser._wasm_parse_plpgsql(query);
  if (result === 0) throw new RangeError('out of memory');
  const text = parser.UTF8ToString(result);
  parser._wasm_free_string(result);
  return text.startsWith('{') ? { tree: JSON.parse(text) } : { refused: text };
}

/** A node of a tree. */
export interface Met {
  readonly kind: string;
  readonly fields: Tree;
}

/**
 * Walks over the nodes of a tree in the order of the text. Without recursion: `1 + 1 + 1...` is a tree as deep as it is long.
 *
 * @param visit answers `skip` to leave out what is inside of a node
 */
export function walkTree(tree: unknown, visit: (node: Met) => 'enter' | 'skip'): void {
  const open: { readonly key: string; readonly value: unknown }[] = [{ key: '', value: tree }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { key, value } = next;
    if (typeof value !== 'object' || value === null) continue;
    if (Array.isArray(value)) {
      for (let index = value.length - 1; index >= 0; index--) open.push({ key: '', value: value[index] });
      continue;
    }
    if (/^[A-Z]/.test(key) && visit({ kind: key, fields: value as Tree }) === 'skip') continue;
    for (const [name, inner] of Object.entries(value).reverse()) open.push({ key: name, value: inner });
  }
}

/** The fields of a node when it is of the kind. */
export function fieldsOf(node: unknown, kind: string): Tree | undefined {
  const fields = typeof node === 'object' && node !== null ? (node as Tree)[kind] : undefined;
  return typeof fields === 'object' && fields !== null ? (fields as Tree) : undefined;
}

/** A field that is a list; libpg_query leaves out empty ones. */
export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** The text of a String node. */
export function stringOf(node: unknown): string | undefined {
  const fields = fieldsOf(node, 'String');
  return fields === undefined ? undefined : String(fields.sval ?? '');
}

/** The last part of a name that is a list of String nodes, such as that of a function. */
export function lastNameOf(names: unknown): string {
  return stringOf(listOf(names).at(-1)) ?? '';
}
