/** The command that helps after a refusal of the gate. */
export const REFUSAL_COMMAND = 'flux backup create && flux backup verify --latest';

/** The text of a refusal, which scripts depend on: the reason, the command to run, and the backup that was examined. */
export function refusalText({ guidance, detail }: { readonly guidance: string; readonly detail: string }): string {
  return `${guidance} Run \`${REFUSAL_COMMAND}\` first, or pass --skip-backup-check (dangerous).\n(${detail})`;
}
