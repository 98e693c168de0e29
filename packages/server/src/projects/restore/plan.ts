import { Mode } from '@flux/contract/project';
import * as z from 'zod';
import { OverrideSchema } from '../../backups/override.ts';

/** Whether what is left of a backup that is not proven, or is damaged, is restored. */
const acceptUnproven = z.boolean().default(false);

const IntoPlan = z.object({
  how: z.literal('into'),
  slug: z.string(),
  mode: Mode,
  acceptUnproven,
  /** Whether pg_restore runs as a superuser of the new project's server. */
  asSuperuser: z.boolean().default(false),
});
/** Into a project that is created for it, or was removed and comes back. */
export type IntoPlan = z.infer<typeof IntoPlan>;

const ToPlan = z.object({
  how: z.literal('to'),
  sealedUri: z.string(),
  force: z.boolean(),
  prerequisites: z.boolean(),
  acceptUnproven,
});
/** Into a database of the user's. Its URI has a password in it, so that it is sealed. */
export type ToPlan = z.infer<typeof ToPlan>;

const InPlacePlan = z.object({ how: z.literal('in_place'), presentBackup: z.enum(['taken', 'skipped']), override: OverrideSchema });
/** Instead of the live data. */
export type InPlacePlan = z.infer<typeof InPlacePlan>;

const TablesPlan = z.object({ how: z.literal('tables'), tables: z.array(z.string()) });
/** Single tables, into a schema beside the live one. */
export type TablesPlan = z.infer<typeof TablesPlan>;

const UndoPlan = z.object({ how: z.literal('undo') });

/** The request of a `backup_restore`, as its row in the catalog stores it. */
export const RestorePlan = z.discriminatedUnion('how', [IntoPlan, ToPlan, InPlacePlan, TablesPlan, UndoPlan]);
/** The request of a `backup_restore`, as its row in the catalog stores it. */
export type RestorePlan = z.infer<typeof RestorePlan>;
