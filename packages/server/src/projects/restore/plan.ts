import { Mode } from '@flux/contract/project';
import * as z from 'zod';
import { OverrideSchema } from '../../backups/gate.ts';

/** What the row of an operation holds. A URI has a password in it, so it is sealed. */
export const RestorePlan = z.discriminatedUnion('how', [
  z.object({ how: z.literal('into'), slug: z.string(), mode: Mode }),
  z.object({ how: z.literal('to'), sealedUri: z.string(), force: z.boolean(), prerequisites: z.boolean() }),
  z.object({ how: z.literal('in_place'), presentBackup: z.enum(['taken', 'skipped']), override: OverrideSchema }),
  z.object({ how: z.literal('tables'), tables: z.array(z.string()) }),
  z.object({ how: z.literal('undo') }),
]);
/** What the row of an operation holds. */
export type RestorePlan = z.infer<typeof RestorePlan>;
