/**
 * What a project may be able to do besides backups and pushes: `power` starts and stops its server, `staging` restores next to the
 * live data and swaps (restore in place, reset, single tables), `undo` keeps the replaced data, `pooled` can move to a server of its own.
 */
export const CAPABILITIES = ['power', 'staging', 'undo', 'pooled'] as const;
/** What a project may be able to do besides backups and pushes. */
export type Capability = (typeof CAPABILITIES)[number];

/** Each capability as people read it, after "Supports:". */
export const CAPABILITY_LABELS: Readonly<Record<Capability, string>> = {
  power: 'start and stop',
  staging: 'restore in place and reset',
  undo: 'undo of a restore',
  pooled: 'migration to a server of its own',
};

/** The facts that decide why a project lacks a capability. */
export interface CapabilityProject {
  readonly slug: string;
  readonly hash: string;
  readonly mode: 'v1_dedicated' | 'v2_shared';
  readonly attached: boolean;
}

/** Why a project lacks a capability, and a hint with what to do instead. */
export function explainAbsence(
  { slug, hash, mode, attached }: CapabilityProject,
  capability: Capability,
): { readonly why: string; readonly hint: string } {
  if (attached) {
    const [refusal, hint] = ATTACHED[capability];
    return { why: `${slug} is attached: Flux does not run its server and ${refusal}.`, hint };
  }
  if (mode === 'v1_dedicated') return { why: `${slug} is not in the pool: it has a server of its own.`, hint: 'See `flux list`.' };
  return {
    why:
      capability === 'power'
        ? `${slug} lives in a pooled cluster, which runs for all of its projects.`
        : `${slug} lives in a pooled cluster, which does not support this.`,
    hint: `Move it to a server of its own: \`flux migrate -p ${slug} --hash ${hash} --to v1_dedicated --dry-run\` shows how.`,
  };
}

/** What cannot be done to a database that Flux does not run, and what to do instead. */
const ATTACHED: Readonly<Record<Capability, readonly [refusal: string, hint: string]>> = {
  power: ['cannot start or stop it', 'Use the tools of its host; `flux list` shows whether it answers.'],
  staging: [
    'does not replace data there',
    'Restore into a new project with `flux backup restore --into <slug>`, or into an empty database with --to <uri>.',
  ],
  undo: ['never replaces data there, so there is nothing to undo', 'See `flux backup list`.'],
  pooled: ['cannot move it out of a pool', 'See `flux list`.'],
};
