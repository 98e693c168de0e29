import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { VerificationProof } from '@flux/contract/backup';
import type { Flux, TestProject } from '../harness/flux.ts';
import { findClient, psql } from '../harness/postgres.ts';
import { runWell } from '../harness/process.ts';
import { catalogUri, databaseOf, instanceOf, superuserUri } from '../harness/superuser.ts';
import { takeApart } from './archive.ts';
import type { EngineKind, Material, Traps } from './damage.ts';

/** A project with one backup whose artifact a test replaces and puts back. */
export interface Workshop {
  readonly project: TestProject;
  readonly backupId: string;
  readonly material: Material;
  /** Replaces the artifact with these bytes. The backup then counts as never verified. */
  exchange(bytes: Buffer, catalogFits: boolean): Promise<void>;
  /** Puts the good bytes back. */
  restoreArtifact(): Promise<void>;
  verify(): Promise<Verified>;
  /** The first lines of `flux backup list`. */
  label(): Promise<string>;
}

/** How `flux backup verify --json` ended. */
export interface Verified {
  readonly exitCode: number | null;
  readonly proof: VerificationProof;
  readonly label: string;
  /** Seconds, from the prompt to the verdict. */
  readonly seconds: number;
}

export interface WorkshopRequest {
  readonly server: Flux;
  readonly engine: EngineKind;
  readonly project: TestProject;
  readonly stranger: Buffer;
  readonly traps: Traps;
}

/** Creates a backup of a project that has its data, restores it into a database for forgeries, and parses it. */
export async function openWorkshop({ server, engine, project, stranger, traps }: WorkshopRequest): Promise<Workshop> {
  const { backupId, path, projectId } = await backUp(server, project);
  const artifact = readFileSync(path);
  const instance = instanceOf(projectId, engine);
  const schema = engine === 'v2_shared' ? tenantOf(projectId).schema : 'public';
  const uri = (database: string) => superuserUri(server, instance, database);
  const admin = (sql: string) => psql(uri('template1'), sql);
  const tool = (name: string, ...args: string[]) => runWell(join(findClient(), name), args);
  const tenantOptions = engine === 'v2_shared' ? ['--no-owner', '--no-acl'] : [];
  const base = `base_${project.slug.replaceAll('-', '_')}`;

  await admin(`CREATE DATABASE ${base} TEMPLATE template0 ENCODING 'UTF8'`);
  // The instance already has the project's roles; the new database lacks the other prerequisites of the archive.
  const { prerequisites } = JSON.parse(readFileSync(path.replace(/\.dump$/, '.manifest.json'), 'utf8')) as {
    prerequisites: {
      schemas: string[];
      extensions: { name: string; schema: string }[];
      statements: { phase: string; sql: string }[];
    };
  };
  await psql(
    uri(base),
    [
      'SET check_function_bodies = off',
      ...prerequisites.schemas.map((name) => `CREATE SCHEMA IF NOT EXISTS "${name}"`),
      ...prerequisites.extensions.map(
        (extension) => `CREATE EXTENSION IF NOT EXISTS "${extension.name}" SCHEMA "${extension.schema}" CASCADE`,
      ),
      ...prerequisites.statements.filter(({ phase }) => phase === 'before').map(({ sql }) => sql),
    ].join(';\n'),
  );
  await tool('pg_restore', '--exit-on-error', ...tenantOptions, '--dbname', uri(base), path);

  let forgeries = 0;
  const forge = async (sql: string, dumpOptions: readonly string[]) => {
    const name = `${base}_${++forgeries}`;
    const file = join(server.folder, `${name}.dump`);
    await admin(`CREATE DATABASE ${name} TEMPLATE ${base}`);
    // Without checking function bodies, so that one may refer to what only exists during a restore.
    if (sql !== '') await psql(uri(name), `SET search_path TO ${schema}, public; ${sql}`);
    await tool('pg_dump', '-Fc', '-Z1', ...tenantOptions, ...dumpOptions, '-f', file, uri(name));
    await admin(`DROP DATABASE ${name} WITH (FORCE)`);
    return readFileSync(file);
  };
  const ofSchema = (name: string) => (engine === 'v2_shared' ? [`--schema=${name}`] : []);

  const exchange = async (bytes: Buffer, catalogFits: boolean) => {
    writeFileSync(path, bytes);
    const told = catalogFits ? bytes : artifact;
    const sha256 = createHash('sha256').update(told).digest('hex');
    // Everything that is recorded of the artifact fits, or a contradiction would be found before the restore. The receipts of a project
    // are a chain, so all of them go.
    await psql(
      catalogUri(server),
      `UPDATE backups SET sha256 = '${sha256}', size_bytes = ${told.length}, verified_sha256 = NULL,
         restore_verification = 'pending', restore_verified_at = NULL, restore_verification_error = NULL, last_problem = NULL, last_problem_at = NULL,
         artifact_validation = 'artifact_valid', artifact_validated_at = now(), artifact_validation_error = NULL
       WHERE id = '${backupId}';
       UPDATE copies SET stored_sha256 = '${sha256}', stored_size_bytes = ${told.length}, state = 'present', problem = NULL WHERE backup_id = '${backupId}';
       DELETE FROM receipts WHERE project_id = (SELECT project_id FROM backups WHERE id = '${backupId}')`,
    );
  };
  return {
    project,
    backupId,
    material: {
      artifact,
      parts: takeApart(artifact),
      schema,
      stranger,
      traps,
      repack: (sql, { dump = [] } = {}) => forge(sql, [...ofSchema(schema), ...dump]),
      elsewhere: () => forge(`ALTER SCHEMA ${schema} RENAME TO elsewhere; CREATE SCHEMA ${schema}`, ofSchema('elsewhere')),
    },
    exchange,
    restoreArtifact: () => exchange(artifact, true),
    verify: async () => {
      const began = performance.now();
      const { exitCode, stdout, stderr } = await server.flux('backup', 'verify', ...project.flags, '--id', backupId, '--json');
      const seconds = (performance.now() - began) / 1000;
      if (stdout === '') throw new Error(`flux backup verify gave no answer (${exitCode}): ${stderr}`);
      return { exitCode, seconds, ...(JSON.parse(stdout) as Pick<Verified, 'proof' | 'label'>) };
    },
    label: async () => {
      const answer = await server.api(`/projects/${project.hash}/backups?limit=1`);
      return ((await answer.json()) as { freshness: { label: string } }).freshness.label;
    },
  };
}

/** Creates a backup and returns its location. */
export async function backUp(server: Flux, project: TestProject): Promise<{ backupId: string; path: string; projectId: string }> {
  const made = await server.flux('backup', 'create', ...project.flags, '--json');
  if (made.exitCode !== 0) throw new Error(`flux backup create ended with ${made.exitCode}: ${made.stderr}`);
  const row = await psql(
    catalogUri(server),
    `SELECT b.id, b.project_id FROM backups b JOIN projects p ON p.id = b.project_id WHERE p.hash = '${project.hash}' ORDER BY b.seq DESC LIMIT 1`,
  );
  const [backupId = '', projectId = ''] = row.trim().split('|');
  const path = join(server.dataFolder, 'backups', projectId, `${backupId}.dump`);
  if (!existsSync(path)) throw new Error(`${path} does not exist`);
  return { backupId, path, projectId };
}

/** Runs SQL in a project as its owner, as users do. */
export async function pushSql(server: Flux, project: TestProject, name: string, sql: string): Promise<void> {
  const file = join(server.folder, `${project.slug}-${name}.sql`);
  writeFileSync(file, sql);
  const pushed = await server.flux('push', file, ...project.flags);
  if (pushed.exitCode !== 0) throw new Error(`flux push ended with ${pushed.exitCode}: ${pushed.stderr}`);
}

/** Runs SQL in a project's database as the superuser of its instance, which no user can. */
export async function runAsSuperuser(server: Flux, project: TestProject, engine: EngineKind, sql: string): Promise<string> {
  return psql(superuserUri(server, instanceOf(await projectIdOf(server, project), engine), databaseOf(project)), sql);
}

/** The id of a project in the catalog. */
export async function projectIdOf(server: Flux, project: TestProject): Promise<string> {
  return (await psql(catalogUri(server), `SELECT id FROM projects WHERE hash = '${project.hash}'`)).trim();
}

/** Names of a tenant, which come from the project's id. */
export function tenantOf(projectId: string): { readonly schema: string; readonly owner: string } {
  const prefix = `t_${projectId.replaceAll('-', '').slice(0, 12)}`;
  return { schema: `${prefix}_api`, owner: `${prefix}_ddl` };
}
