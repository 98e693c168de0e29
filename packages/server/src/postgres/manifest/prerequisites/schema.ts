import { z } from 'zod';
import type { Prerequisites } from './data.ts';

const name = z.string().min(1);
/** Keywords are inserted into SQL unquoted, so nothing else is accepted. */
const keywords = z.string().regex(/^[A-Z]+( [A-Z]+)*$/);
const target = { kind: z.enum(['SCHEMA', 'SEQUENCE', 'TYPE', 'ROUTINE', 'TABLE']), identity: z.string().min(1) };
const defaultObjects = z.enum(['TABLES', 'SEQUENCES', 'FUNCTIONS', 'TYPES', 'SCHEMAS', 'LARGE OBJECTS']);
const grantee = { grantee: name.nullable(), grantable: z.boolean() };

/** The schema of stored prerequisites. An unknown key is an error: what is not understood must not be ignored. */
export const prerequisitesSchema: z.ZodType<Prerequisites> = z.strictObject({
  roles: z.array(z.strictObject({ name, superuser: z.boolean(), inherits: z.boolean(), bypassesRls: z.boolean() })),
  memberships: z.array(z.strictObject({ group: name, member: name })),
  schemas: z.array(name),
  extensions: z.array(z.strictObject({ name, schema: name, version: z.string().nullable(), possibly: z.literal(true).optional() })),
  settings: z.array(z.strictObject({ name, value: z.string() })),
  statements: z.array(
    z.strictObject({ phase: z.enum(['before', 'after']), unlessType: z.string().min(1).nullable(), sql: z.string().min(1) }),
  ),
  owners: z.array(z.strictObject({ kind: keywords, identity: z.string().min(1), owner: name })),
  revocations: z.array(z.strictObject({ ...target, owner: name.nullable() })),
  grants: z.array(z.strictObject({ ...target, column: name.nullable(), privileges: z.array(keywords).min(1), ...grantee })),
  defaultRevocations: z.array(z.strictObject({ owner: name, objects: defaultObjects })).optional(),
  defaultPrivileges: z.array(
    z.strictObject({
      owner: name,
      schema: name.nullable(),
      objects: defaultObjects,
      privilege: keywords,
      ...grantee,
    }),
  ),
  ledger: z.array(z.strictObject({ version: z.string(), filename: z.string(), checksum: z.string().nullable(), appliedAt: z.string() })),
});
