import * as z from 'zod';

/** What a project may use. */
export const QuotaLimits = z.object({
  /** Its databases or schemas with what an undo needs, and its backups; of an attached database only the backups. In bytes. */
  diskBytes: z.int().min(1),
  /** Complete backups that are kept. At least two: a new one beside the one that is proven. */
  backups: z.int().min(2),
  /** Pushes, backups, verifications and imports that users ask for within 24 hours. */
  operationsPerDay: z.int().min(1),
});
/** What a project may use. */
export type QuotaLimits = z.infer<typeof QuotaLimits>;

/** `POST /projects/:hash/quota`: null puts the setting of the server back; what is absent stays. */
export const QuotaRequest = z.strictObject({
  diskBytes: QuotaLimits.shape.diskBytes.nullable().optional(),
  backups: QuotaLimits.shape.backups.nullable().optional(),
  operationsPerDay: QuotaLimits.shape.operationsPerDay.nullable().optional(),
});
/** `POST /projects/:hash/quota` */
export type QuotaRequest = z.infer<typeof QuotaRequest>;

/** What a project may use, and what it uses. */
export const QuotaAnswer = z.object({
  quota: z.object({
    limits: QuotaLimits,
    /** Those that are not the settings of the server. */
    own: QuotaLimits.partial(),
    used: z.object({
      /** Null while it was never measured, and for an attached database. */
      databaseBytes: z.number().nullable(),
      measuredAt: z.iso.datetime().nullable(),
      backupBytes: z.number(),
      backups: z.number(),
      operationsPerDay: z.number(),
    }),
  }),
});
/** What a project may use, and what it uses. */
export type QuotaAnswer = z.infer<typeof QuotaAnswer>;
