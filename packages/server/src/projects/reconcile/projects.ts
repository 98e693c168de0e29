import type { UserId } from '@flux/contract/ids';
import type { EngineKind } from '@flux/contract/labels';
import { recordAudit } from '../../catalog/audit.ts';
import type { DatabaseTransaction } from '../../catalog/open.ts';
import { adoptProject, findProjectById, findProjectBySlug, insertProject, type ProjectRow } from '../../catalog/projects.ts';
import { ensureUser } from '../../catalog/tokens.ts';
import { type FoundStanding, listInTime, type Standing } from '../../engines/standing.ts';
import { uuidv7 } from '../../system/uuid.ts';
import { type Adoption, type Comparison, NOBODY, type ReconcileDeps } from './adoption.ts';

const KINDS = ['v1_dedicated', 'v2_shared'] as const;
const WORDS = { v1_dedicated: 'a server of its own', v2_shared: 'a schema of the pool' };

const HOLDERS = { v1_dedicated: 'No server of a project', v2_shared: 'The pool' };
export const COMPARE_AGAIN = 'Correct that and start Flux again, which compares them.';

/** Projects whose data says that it is live, where the catalog says something else. */
export async function examineProjects(deps: ReconcileDeps): Promise<Comparison> {
  const { live, left, notCompared, unknownEngines } = await readStandings(deps);
  const adoptions = await Promise.all([...live.values()].map((standing) => examineProject(deps, standing, left.has(standing.project.id))));
  return { adoptions: adoptions.filter((adoption) => adoption !== undefined), notCompared, unknownEngines };
}

/**
 * The live standings by project, and the projects that have left something in the pool. A project that is live in both has moved: there
 * is no way from a server back to the pool.
 */
async function readStandings({ engines, log }: ReconcileDeps) {
  const live = new Map<string, Standing>();
  const left = new Set<string>();
  const notCompared: string[] = [];
  const unknownEngines: EngineKind[] = [];
  for (const kind of KINDS) {
    try {
      for (const { place, found, problem } of await listInTime(engines.standingOf(kind))) {
        if (found === 'unreadable') notCompared.push(sayUnreadable(place, problem));
        else if (kind === 'v2_shared' && (found.standing === 'left' || live.has(found.project.id))) left.add(found.project.id);
        else if (found.standing === 'live') live.set(found.project.id, found);
      }
    } catch (error) {
      log.warn({ err: error, engine: kind }, 'it is not known what it holds');
      unknownEngines.push(kind);
      notCompared.push(`${HOLDERS[kind]} was not compared with the catalog: ${(error as Error).message} ${COMPARE_AGAIN}`);
    }
  }
  return { live, left, notCompared, unknownEngines };
}

function sayUnreadable(place: string, problem: string | undefined): string {
  const why = problem === undefined ? 'was not written by this installation, or is damaged' : `cannot be read (${problem})`;
  return `${place} was not compared with the catalog: what it says of itself ${why}. It is not removed while that is so. ${COMPARE_AGAIN}`;
}

async function examineProject(deps: ReconcileDeps, standing: Standing, hasLeft: boolean): Promise<Adoption | undefined> {
  const { catalog, engines } = deps;
  const { id, slug, hash, engine } = standing.project;
  const row = await findProjectById(catalog.db, id);
  if (row !== undefined && knows(row, engine)) return undefined;
  // Another server may just have removed it: what is no longer live by the catalog has said so itself before.
  if (!isLive(await engines.standingOf(engine).read({ id }))) return undefined;
  const found = `Project ${slug} (${hash}) is live in ${WORDS[engine]} since ${standing.at}; the catalog ${describe(row)}.`;
  const namesake = await findProjectBySlug(catalog.db, slug);
  if (namesake !== undefined && namesake.id !== id)
    return { found: `${found} It cannot be adopted while another project has its name: remove ${slug} (${namesake.hash}) first.` };
  return {
    id: `project ${id}`,
    found,
    apply: () =>
      catalog.db.transaction().execute(async (db) => {
        if (row === undefined) await insert(db, deps, standing);
        else await adopt(db, deps, standing, hasLeft && engine === 'v1_dedicated' ? 'source_kept' : null);
        const details = { engine, catalogSaid: row === undefined ? null : { lifecycle: row.lifecycle, engine: row.engine } };
        await recordAudit(db, NOBODY, { action: 'project.adopted', projectId: id, subject: slug, details });
      }),
  };
}

/** A project moves from the pool to a server and never back, so a pool that still says that it is live is only behind. */
function knows(row: ProjectRow, engine: Standing['project']['engine']): boolean {
  return row.lifecycle === 'active' && (row.engine === engine || (row.engine === 'v1_dedicated' && engine === 'v2_shared'));
}

function isLive(found: FoundStanding): boolean {
  return typeof found === 'object' && found.standing === 'live';
}

async function insert(db: DatabaseTransaction, deps: ReconcileDeps, standing: Standing): Promise<void> {
  const identity = await identityOf(db, deps, standing);
  await insertProject(db, { ...identity, id: standing.project.id, attached: false, lifecycle: 'active', worker_id: null });
}

/** The row may be one that its backups brought back, with a name and secrets that were made up. */
async function adopt(
  db: DatabaseTransaction,
  deps: ReconcileDeps,
  standing: Standing,
  migrationState: ProjectRow['migration_state'],
): Promise<void> {
  const identity = await identityOf(db, deps, standing);
  await adoptProject(db, standing.project.id, { ...identity, migration_state: migrationState });
}

async function identityOf(db: DatabaseTransaction, { clock }: ReconcileDeps, { project }: Standing) {
  return {
    owner_id: await ensureUser(db, uuidv7(clock.now()) as UserId, project.owner),
    slug: project.slug,
    hash: project.hash,
    engine: project.engine,
    sealed_secrets: Buffer.from(project.sealedSecrets, 'base64'),
    created_at: new Date(project.createdAt),
  };
}

function describe(row: ProjectRow | undefined): string {
  if (row === undefined) return 'does not know it';
  const where: Readonly<Record<EngineKind, string>> = WORDS;
  const state = row.migration_state === 'copying' ? ', and that it is being moved' : '';
  return `says that it is ${row.lifecycle === 'creating' ? 'being created' : row.lifecycle}, in ${where[row.engine]}${state}`;
}
