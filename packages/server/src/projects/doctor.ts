import { explainAbsence } from '@flux/contract/capability';
import type { DoctorAnswer, Finding } from '@flux/contract/doctor';
import { backupKindOf, trustLabel } from '@flux/contract/labels';
import { checkArtifact } from '../backups/item.ts';
import { findNewestRestorable } from '../backups/newest-restorable.ts';
import { readKnownQuota } from '../backups/quota.ts';
import { type BackupState, stateOf } from '../backups/trust.ts';
import type { BlobStore } from '../blobs/store.ts';
import { type BackupRow, findLatestBackup } from '../catalog/backups.ts';
import type { Catalog } from '../catalog/open.ts';
import type { ProjectRow } from '../catalog/projects.ts';
import type { EngineDirectory } from '../engines/directory.ts';
import type { InstanceState } from '../instances/instance.ts';
import { adviseOnInstalling } from '../postgres/install-advice.ts';
import { inTurns } from '../system/in-turns.ts';
import type { Log } from '../system/log.ts';
import { brokenFinding, chainFindings, rowFinding, serverFindings } from './doctor/findings.ts';
import {
  damageFindings,
  freeSpaceFindings,
  type HostNames,
  type Machine,
  majorsFinding,
  sandboxFinding,
  wallFinding,
} from './doctor/machine.ts';
import { quotaFindings } from './quota.ts';
import { listUndoData } from './undo/data.ts';

/** What an examination uses. */
export interface DoctorDeps {
  readonly catalog: Catalog;
  readonly store: BlobStore;
  readonly engines: EngineDirectory;
  readonly machine: Machine;
  readonly log: Log;
  /** For how long replaced data is retained. */
  readonly undoKeepMs: number;
}

const UNDO_DATA = 'undo data';

/** So many projects are examined at once: one that answers slowly keeps the others waiting less. */
const AT_ONCE = 8;
const ORDER = ['danger', 'warning', 'fine'];
const MAX_PROOF_AGE_MS = 7 * 24 * 3_600_000;

/** One page about the server: what would stop a restore today, in order of danger. */
export async function examineServer(deps: DoctorDeps, projects: readonly ProjectRow[], names: HostNames): Promise<DoctorAnswer> {
  const findings = [
    sandboxFinding(deps.machine.disposables.sandbox),
    await wallFinding(deps.machine.wall, names),
    majorsFinding(deps.machine.toolbox.majors()),
    ...(await freeSpaceFindings(deps.machine)),
    ...(await damageFindings(deps.machine, names)),
    ...serverFindings(deps.catalog, deps.machine, names),
  ];
  const examined = await inTurns(projects, AT_ONCE, async (project) => ({
    project,
    ...(await examineProject(deps, project).catch((error) => ({ findings: [brokenFinding(deps.log, project, error)] }))),
  }));
  for (const { project, findings: all } of examined) {
    const told = all.filter(({ severity, what }, index) => (index === 0 && severity !== 'fine') || [UNDO_DATA, 'receipts'].includes(what));
    findings.push(...told.map((finding) => ({ ...finding, what: `${project.slug} (${project.hash}): ${finding.what}` })));
  }
  return { findings: inOrder(findings) };
}

/** One page about a project. */
export async function examineProject(deps: DoctorDeps, project: ProjectRow): Promise<DoctorAnswer> {
  const latest = await findLatestBackup(deps.catalog.db, project.id);
  const state = latest === undefined ? undefined : stateOf(latest, await checkArtifact(deps.store, latest));
  const damage = rowFinding(deps, project);
  const findings = [...damage, backupFinding(project, latest, state), ...proofFindings(deps, project, latest, state)];
  if (state !== undefined && state.tier !== 'restorable') findings.push(await wayBackFinding(deps, project));
  if (project.lifecycle === 'active' && damage.length === 0) {
    const { state, finding } = await examineInstance(deps, project);
    findings.push(finding);
    // One that does not answer would keep this waiting, once for each question.
    if (state === 'running') findings.push(...(await undoFindings(deps, project)), ...(await lookFindings(deps, project)));
  }
  findings.push(...capabilityFindings(deps, project), ...migrationFindings(project), ...(await chainFindings(deps, project)));
  if (project.lifecycle === 'active') findings.push(...quotaFindings(project, await readKnownQuota({ ...deps, ...deps.machine }, project)));
  const major = Number(latest?.postgres_version?.split('.')[0]);
  if (Number.isInteger(major) && major > 0 && !deps.machine.toolbox.majors().includes(major)) {
    findings.push({
      severity: 'danger',
      what: 'Postgres programs',
      found: `The latest backup is of PostgreSQL ${major}, whose programs are not installed here: it can be neither verified nor restored. ${adviseOnInstalling(major, `postgresql-${major}`)}.`,
      command: null,
    });
  }
  return { findings: inOrder(findings) };
}

function backupFinding(project: ProjectRow, latest: BackupRow | undefined, state: BackupState | undefined): Finding {
  const tier = state?.tier ?? 'no_backups';
  const label = trustLabel(tier, latest?.kind ?? backupKindOf(project.engine));
  const flags = `--project ${project.slug} --hash ${project.hash}`;
  if (tier === 'restorable') return { severity: 'fine', what: 'latest backup', found: `${label}.`, command: null };
  const onlyVerify = tier === 'not_restore_verified';
  return {
    severity: onlyVerify || tier === 'artifact_pending' ? 'warning' : 'danger',
    what: 'latest backup',
    found: `${label}: there is no proof that this project can be brought back.${reasonOf(tier, latest, state)}`,
    command: onlyVerify ? `flux backup verify ${flags} --latest` : `flux backup create ${flags} --verify`,
  };
}

function reasonOf(tier: BackupState['tier'], latest: BackupRow | undefined, state: BackupState | undefined): string {
  if (tier === 'pipeline_incomplete') return ` ${state?.artifactValidationError}`;
  if (tier === 'latest_not_complete' && latest?.failure != null) return ` It failed: ${latest.failure}`;
  if (tier !== 'restore_failed') return '';
  const failed = ` ${latest?.restore_verification_error}`;
  // The bytes that were dumped do not come back: the next dump of the same source does not either.
  return state?.artifactValidation === 'artifact_valid'
    ? `${failed} Its file is as it was written, so the next backup ends in the same way until the source has been corrected.`
    : failed;
}

/** What an older backup brings back while the latest brings back nothing. */
async function wayBackFinding(deps: DoctorDeps, project: ProjectRow): Promise<Finding> {
  const row = await findNewestRestorable(deps, project);
  const found =
    row === undefined
      ? 'No older backup is restore-verified and intact either.'
      : `The newest restore-verified backup is ${row.id} of ${row.created_at.toISOString()}: what was written after it would be lost.`;
  return { severity: row === undefined ? 'danger' : 'warning', what: 'older backups', found, command: null };
}

function proofFindings(deps: DoctorDeps, project: ProjectRow, latest: BackupRow | undefined, state: BackupState | undefined): Finding[] {
  const findings: Finding[] = [];
  const command = `flux backup create --project ${project.slug} --hash ${project.hash} --verify`;
  if (
    latest !== undefined &&
    state?.tier === 'restorable' &&
    deps.machine.clock.now().getTime() - latest.created_at.getTime() > MAX_PROOF_AGE_MS
  ) {
    findings.push({
      severity: 'warning',
      what: 'age of the proof',
      found: `The newest proven backup was taken at ${latest.created_at.toISOString()}: what was written after it would be lost.`,
      command,
    });
  }
  if (latest?.last_problem != null) {
    findings.push({
      severity: 'warning',
      what: 'last verification',
      found: `It was inconclusive: ${latest.last_problem}`,
      command: `flux backup verify --project ${project.slug} --hash ${project.hash} --latest`,
    });
  }
  return findings;
}

/** Where a project without restore in place is restored instead. */
function capabilityFindings(deps: DoctorDeps, row: ProjectRow): Finding[] {
  if (deps.engines.toLook(row).engine.staging !== undefined) return [];
  const { why, hint } = explainAbsence({ ...row, mode: row.engine }, 'staging');
  return [{ severity: 'fine', what: 'restore in place', found: `${why} ${hint}`, command: null }];
}

function migrationFindings({ slug, hash, migration_state }: ProjectRow): Finding[] {
  if (migration_state === null) return [];
  const command = `flux migrate --project ${slug} --hash ${hash}`;
  const words = {
    copying: ['A migration is running, or was interrupted and is being rolled back.', null],
    staged: ['A dedicated copy waits for inspection; it has the data as it was when it was copied.', `${command} --discard-staged`],
    source_kept: [
      'It was migrated to a dedicated instance; the old pooled schema is retained, read-only.',
      `${command} --drop-source-after`,
    ],
    dropping_source: ['Its old pooled schema is being removed.', null],
  } as const;
  const [found, next] = words[migration_state];
  return [{ severity: 'warning', what: 'migration', found, command: next }];
}

async function examineInstance(deps: DoctorDeps, row: ProjectRow): Promise<{ readonly state: InstanceState; readonly finding: Finding }> {
  const { engine, project } = deps.engines.of(row);
  const canStart = engine.power !== undefined || engine.pooled !== undefined;
  const status = await engine.status(project).catch((error: Error) => ({ state: 'failing' as const, problem: error.message, restarts: 0 }));
  if (status.state === 'running') {
    const died = status.restarts > 0 ? ` It died and was started again ${status.restarts} times.` : '';
    const severity = status.restarts > 0 ? 'warning' : 'fine';
    return { state: 'running', finding: { severity, what: 'Postgres', found: `It is running.${died}`, command: null } };
  }
  const finding: Finding = {
    severity: 'warning',
    what: 'Postgres',
    found: `It is ${status.state}${status.problem === null ? '' : `: ${status.problem}`}. No backup can be created now.${
      canStart ? '' : ` ${explainAbsence({ ...row, mode: row.engine }, 'power').hint}`
    }`,
    command: canStart ? `flux project start ${row.slug} --hash ${row.hash}` : null,
  };
  return { state: status.state, finding };
}

/** What a look at a database that Flux does not run finds. One that does not answer is told by `examineInstance`. */
async function lookFindings({ engines }: DoctorDeps, row: ProjectRow): Promise<readonly Finding[]> {
  const { engine, project } = engines.of(row);
  return (await engine.attachment?.look(project).catch(() => [])) ?? [];
}

/** Replaced data that is retained, its size and its expiry. */
async function undoFindings({ engines, undoKeepMs }: DoctorDeps, row: ProjectRow): Promise<Finding[]> {
  const retained = await listUndoData(engines, row, undoKeepMs);
  return retained.map(({ name, sizeBytes, isWhole, expiresAt }) => {
    const size = `${(sizeBytes / 2 ** 20).toFixed(1)} MiB`;
    const until = expiresAt.toISOString();
    const found = isWhole
      ? `${name} (${size}) was replaced by a restore in place or a reset; it is retained for --undo until ${until}.`
      : `The removal of ${name} (${size}) was interrupted; it is removed with the next restore in place, at the latest after ${until}.`;
    return { severity: 'fine', what: UNDO_DATA, found, command: null };
  });
}

function inOrder(findings: readonly Finding[]): Finding[] {
  return findings.toSorted((a, b) => ORDER.indexOf(a.severity) - ORDER.indexOf(b.severity));
}
