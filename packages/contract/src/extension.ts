import * as z from 'zod';

/** One extension that the server of a project has. */
export const ExtensionItem = z.object({
  name: z.string(),
  /** Installed where it is installed; otherwise the one that would be. */
  version: z.string(),
  comment: z.string(),
  /** The schema that it is installed in; null when it is not installed. */
  schema: z.string().nullable(),
  installed: z.boolean(),
  /**
   * Who may enable it: `write` any token that may change the project; `admin` an admin token; `nobody` until the operator puts it on the
   * list FLUX_EXTENSIONS_ALLOWED.
   */
  enabledBy: z.enum(['write', 'admin', 'nobody']),
});
/** One extension that the server of a project has. */
export type ExtensionItem = z.infer<typeof ExtensionItem>;

/** `GET /projects/:hash/extensions`, by name. */
export const ExtensionList = z.object({ extensions: z.array(ExtensionItem) });

/** `POST /projects/:hash/extensions` */
export const EnableExtensionRequest = z.strictObject({ name: z.string().min(1).max(63) });

/** `POST /projects/:hash/extensions` */
export const EnableExtensionAnswer = z.object({
  extension: ExtensionItem,
  /** What was created, in order: also those that it needs. Empty when it was there. */
  created: z.array(z.string()),
});
