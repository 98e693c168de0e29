import type { EngineProject } from './engine.ts';

/** The first 12 hex digits of a project's id, for names in Postgres and in paths. */
export function shortIdOf(project: Pick<EngineProject, 'id'>): string {
  return project.id.replaceAll('-', '').slice(0, 12);
}
