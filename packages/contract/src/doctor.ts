import * as z from 'zod';

/** One check: something that would prevent a restore, or that is fine. */
export const Finding = z.object({
  severity: z.enum(['danger', 'warning', 'fine']),
  /** What was checked, in a few words. */
  what: z.string(),
  /** What was found, in a sentence. */
  found: z.string(),
  /** The command that helps; null when nothing has to be done, or when Flux has no command for it. */
  command: z.string().nullable(),
});
/** One check: something that would prevent a restore, or that is fine. */
export type Finding = z.infer<typeof Finding>;

/** `GET /doctor` and `GET /projects/:hash/doctor`: what would prevent a restore today, most dangerous first. */
export const DoctorAnswer = z.object({ findings: z.array(Finding) });
/** `GET /doctor` and `GET /projects/:hash/doctor` */
export type DoctorAnswer = z.infer<typeof DoctorAnswer>;
