import * as z from 'zod';

/** One thing that would stop a restore, or that is fine. */
export const Finding = z.object({
  severity: z.enum(['danger', 'warning', 'fine']),
  /** What was looked at, in a few words. */
  what: z.string(),
  /** What was found, in a sentence. */
  found: z.string(),
  /** The command that helps; null when nothing has to be done, or no command of Flux does it. */
  command: z.string().nullable(),
});
/** One thing that would stop a restore, or that is fine. */
export type Finding = z.infer<typeof Finding>;

/** `GET /doctor` and `GET /projects/:hash/doctor`: what would stop a restore today, in order of danger. */
export const DoctorAnswer = z.object({ findings: z.array(Finding) });
/** `GET /doctor` and `GET /projects/:hash/doctor` */
export type DoctorAnswer = z.infer<typeof DoctorAnswer>;
