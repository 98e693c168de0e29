import { quoteIdentifier, quoteLiteral } from '../../sql/quote.ts';

/** A statement that runs only when a condition holds, safe for whatever the two hold: the body is a literal, not dollar-quoted. */
export function statementIf(condition: string, statement: string): string {
  return `DO ${quoteLiteral(`BEGIN IF ${condition} THEN ${statement}; END IF; END`).trimStart()};`;
}

/** Makes a role unless it exists. */
export function createRole(name: string, attributes: string): string {
  const condition = `NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = ${quoteLiteral(name)})`;
  return statementIf(condition, `CREATE ROLE ${quoteIdentifier(name)} ${attributes}`);
}
