import * as z from 'zod';
import { OPERATION_MEMBERS } from '../operation.ts';
import { OperationKind } from '../operation-kind.ts';

/** An operation as existing clients read it: with the result of our own API, except that its backups are `LegacyItem`s. */
export const LegacyOperation = z.object({ ...OPERATION_MEMBERS, kind: OperationKind, result: z.unknown().optional() });
/** An operation as existing clients read it. */
export type LegacyOperation = z.infer<typeof LegacyOperation>;
