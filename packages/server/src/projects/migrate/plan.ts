import { FluxError } from '@flux/contract/errors';
import { MigrateFinding, MigratePlan, MigrateRequest } from '@flux/contract/migrate';
import * as z from 'zod';
import { OverrideSchema } from '../../backups/override.ts';
import type { ProjectRow } from '../../catalog/projects.ts';
import type { EngineDirectory } from '../../engines/directory.ts';
import type { TenantSurvey } from '../../engines/pooled.ts';

/** A migration as it is requested, with every choice resolved. */
export const MigrationOrder = z.object({
  how: MigrateRequest.shape.how.or(z.literal('dry_run')),
  lockWrites: z.boolean(),
  dropSourceAfter: z.boolean(),
});
/** A migration as it is requested, with every choice resolved. */
export type MigrationOrder = z.infer<typeof MigrationOrder>;

/** The request of a `migrate`, as its row in the catalog stores it. */
export const MigrationRequest = z.object({
  order: MigrationOrder,
  override: OverrideSchema,
  plan: MigratePlan,
  preflight: z.array(MigrateFinding),
});
/** The request of a `migrate`, as its row in the catalog stores it. */
export type MigrationRequest = z.infer<typeof MigrationRequest>;

/** Tells whether a project has nothing left to move or to remove. */
export function isDone(row: ProjectRow): boolean {
  return row.engine === 'v1_dedicated' && row.migration_state === null;
}

/** A plan, and what surveying the source has found. */
export interface SurveyedPlan {
  readonly plan: MigratePlan;
  readonly preflight: readonly MigrateFinding[];
}

/** Surveys a pooled project and plans what a migration would do; `preflight` has what blocks it. Changes nothing. */
export async function planMigration(engines: EngineDirectory, row: ProjectRow, order: MigrationOrder): Promise<SurveyedPlan> {
  const { engine, project } = engines.of(row);
  const survey = await engine.pooled?.survey(project);
  const plan: MigratePlan = {
    slug: row.slug,
    hash: row.hash,
    from: row.engine,
    to: 'v1_dedicated',
    ...order,
    tables: survey?.tables ?? 0,
    estimatedRows: survey?.estimatedRows ?? 0,
    sizeBytes: survey?.sizeBytes ?? 0,
    steps: stepsOf(row, order),
  };
  return { plan, preflight: survey === undefined ? [] : findingsOf(survey, order) };
}

/** @throws FluxError `not_ready` with everything that blocks */
export function refuseBlocked(row: ProjectRow, preflight: readonly MigrateFinding[]): void {
  const blocking = preflight.filter(({ severity }) => severity === 'blocks');
  if (blocking.length === 0) return;
  throw new FluxError(
    'not_ready',
    `${row.slug} cannot move as it is: ${blocking.map(({ what, found }) => `${what}: ${found}`).join(' ')} Nothing was changed.`,
    {
      hint: `Put it right, then look again with \`flux migrate --project ${row.slug} --hash ${row.hash} --to v1_dedicated --dry-run\`.`,
      details: { preflight },
    },
  );
}

function stepsOf(row: ProjectRow, { how, lockWrites, dropSourceAfter }: MigrationOrder): string[] {
  const drop = 'Remove the pooled schema, its roles and its login.';
  if (row.engine === 'v1_dedicated') return row.migration_state === null ? [] : [drop];
  if (how === 'discard_staged') return ['Remove the dedicated copy that waits for inspection.'];
  const backUp = 'Take a backup of the pooled schema and prove it by a restore in a sandbox.';
  if (how === 'dump_only') return [backUp];
  const copy = [
    backUp,
    'Create a Postgres server for the project alone, and restore the backup there.',
    'Restore owners, grants, default privileges and the migration ledger; the schema is called public there.',
    'Compare every table and object with the manifest of the backup.',
  ];
  if (how === 'staged') return [...copy, 'Leave the copy for inspection. The project stays in the pool.'];
  return [
    lockWrites
      ? 'Block all writes to the pooled schema; reading continues.'
      : 'Leave writes alone: what is written after the snapshot stays behind in the pool.',
    ...copy,
    'Close the old login, and flip the project to its own server in one transaction.',
    dropSourceAfter ? drop : 'Retain the pooled schema, closed.',
  ];
}

function findingsOf(survey: TenantSurvey, order: MigrationOrder): MigrateFinding[] {
  const findings: MigrateFinding[] = [];
  const add = (severity: MigrateFinding['severity'], what: string, found: string, when: boolean) => {
    if (when) findings.push({ severity, what, found });
  };
  const list = (names: readonly string[]) => names.slice(0, 10).join(', ') + (names.length > 10 ? ` and ${names.length - 10} more` : '');
  for (const sentence of survey.needsOutside) add('blocks', 'references out of the schema', sentence, true);
  for (const sentence of survey.perhapsOutside) add('warns', 'does not come along', sentence, true);
  add(
    'blocks',
    'same names',
    `${list(survey.sameNames)} would be in the schema public together; rename those of the project.`,
    survey.sameNames.length > 0,
  );
  add(
    order.lockWrites && order.how === 'move' ? 'blocks' : 'warns',
    'prepared transactions',
    `${list(survey.preparedTransactions)} hold locks until they are committed or rolled back.`,
    survey.preparedTransactions.length > 0,
  );
  add(
    order.dropSourceAfter ? 'blocks' : 'warns',
    'used by other projects',
    `${list(survey.usedBy)} would be dropped with the pooled schema.`,
    survey.usedBy.length > 0,
  );
  add(
    'warns',
    'roles',
    `${list(survey.otherRoles)} have rights here; they are created in the new server without the right to log in.`,
    survey.otherRoles.length > 0,
  );
  add(
    'warns',
    'functions that name the schema',
    `${list(survey.functionsThatNameIt)} say its name in their text or settings, and it is called public afterwards.`,
    survey.functionsThatNameIt.length > 0,
  );
  add('warns', 'extensions', `${list(survey.extensions)} are created again in the new server.`, survey.extensions.length > 0);
  add('warns', 'shared objects', `${list(survey.broughtAlong)} are created again in the new server.`, survey.broughtAlong.length > 0);
  return findings;
}
