import { quoteName } from '../digest-expression.ts';

/** A text as an SQL literal that reads the same whatever standard_conforming_strings says. */
export function quoteLiteral(text: string): string {
  const quoted = `'${text.replaceAll("'", "''").replaceAll('\\', '\\\\')}'`;
  return text.includes('\\') ? `E${quoted}` : quoted;
}

/** A statement that runs only when a condition holds, safe for whatever the two hold: the body is a literal, not dollar-quoted. */
export function statementIf(condition: string, statement: string): string {
  return `DO ${quoteLiteral(`BEGIN IF ${condition} THEN ${statement}; END IF; END`)};`;
}

/** Makes a role unless it exists. */
export function createRole(name: string, attributes: string): string {
  const condition = `NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = ${quoteLiteral(name)})`;
  return statementIf(condition, `CREATE ROLE ${quoteName(name)} ${attributes}`);
}
