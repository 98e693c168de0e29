import type { InstanceId } from '../../instances/instance.ts';
import type { EngineProject } from '../engine.ts';
import { shortIdOf } from '../short-id.ts';

/** The databases that every server has. */
const TAKEN = new Set(['postgres', 'template0', 'template1']);

/** The instance of a dedicated project. */
export function instanceIdOf(project: Pick<EngineProject, 'id'>): InstanceId {
  return `p-${shortIdOf(project)}`;
}

/** The database of a dedicated project: its slug as an identifier that needs no quotes. */
export function databaseNameOf(project: Pick<EngineProject, 'slug'>): string {
  const name = project.slug.replaceAll('-', '_');
  return TAKEN.has(name) ? `${name}_db` : name;
}

/** The role that owns the database and everything in it. */
export function ownerNameOf(project: Pick<EngineProject, 'slug'>): string {
  const name = `${project.slug.replaceAll('-', '_')}_owner`;
  // Names that begin with pg_ belong to Postgres itself.
  return name.startsWith('pg_') ? `db_${name}` : name;
}
