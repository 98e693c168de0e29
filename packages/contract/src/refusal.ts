/** What to type after a refusal of the gate. */
export const COMMAND_THAT_HELPS = 'flux backup create && flux backup verify --latest';

/** A refusal of the gate in the words that scripts know: what is wrong, what to run, and which backup was looked at. */
export function refusalText({ guidance, detail }: { readonly guidance: string; readonly detail: string }): string {
  return `${guidance} Run \`${COMMAND_THAT_HELPS}\` first, or pass --skip-backup-check (dangerous).\n(${detail})`;
}
