/** The source of a function, with what it is written in. */
export interface Body {
  readonly language: string;
  /** The text, and the settings of the function, which may name a schema. */
  readonly source: string;
}

/** Something outside of a tenant's schema that a body may name. */
export interface Candidate {
  readonly schema: string;
  readonly name: string;
  readonly isOperator: boolean;
}

/**
 * What the bodies of functions can name. Words are taken from everywhere, string literals and comments too, so that nothing is
 * overlooked that stands in the text; what is put together when it runs cannot be seen: `isOpen`.
 */
export interface Mentions {
  /** Whether some body may name anything: it makes SQL from text, or is written in a language that we do not read. */
  readonly isOpen: boolean;
  /** Whether a candidate stands in some body, after its schema's name where `qualified` is asked for. */
  names(candidate: Candidate, qualified?: 'qualified'): boolean;
}

const WORD = /[\p{L}_][\p{L}\p{N}_$]*/gu;
const QUOTED = /"((?:[^"]|"")+)"/g;
const OPERATOR = /[-+*/<>=~!@#%^&|`?]+/g;
/** Functions of Postgres and its extensions that run the SQL in an argument. */
const RUNS_TEXT =
  /\b(query_to_xml\w*|cursor_to_xml\w*|table_to_xml\w*|schema_to_xml\w*|database_to_xml\w*|ts_stat|ts_rewrite|dblink\w*|crosstab\w*|connectby|xpath_table|to_reg\w+)\b/i;
/** EXECUTE of one literal is SQL that we see; of anything else it is not. */
const EXECUTES = /\bexecute\b(?!\s+(?:e?'(?:[^']|'')*'|function|procedure|on)\s*(?:;|into\b|using\b|[\w.]+\s*\())/i;

/** Reads the bodies of functions. */
export function readMentions(bodies: readonly Body[]): Mentions {
  const words = new Set<string>();
  const operators = new Set<string>();
  const folded: string[] = [];
  let isOpen = false;
  for (const { language, source } of bodies) {
    isOpen ||= !['sql', 'plpgsql'].includes(language) || RUNS_TEXT.test(source) || (language === 'plpgsql' && EXECUTES.test(source));
    for (const [word] of source.matchAll(WORD)) words.add(word).add(word.toLowerCase());
    for (const [, quoted = ''] of source.matchAll(QUOTED)) words.add(quoted.replaceAll('""', '"'));
    for (const [operator] of source.matchAll(OPERATOR)) operators.add(operator);
    // Blanks around a dot and quotes around names change nothing.
    folded.push(source.replaceAll(/"?\s*\.\s*"?/g, '.').toLowerCase());
  }
  const tokens = [...operators];
  return {
    isOpen,
    names({ schema, name, isOperator }, qualified) {
      // Signs that stand together may be several operators.
      if (isOperator) return tokens.some((token) => token.includes(name));
      if (!words.has(name)) return false;
      return qualified === undefined || folded.some((text) => text.includes(`${schema}.${name}`.toLowerCase()));
    },
  };
}
