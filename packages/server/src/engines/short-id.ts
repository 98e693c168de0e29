import type { EngineProject } from './engine.ts';

/** The first 12 hex digits of a project's id: its name wherever Postgres or a path needs a short one. */
export function shortIdOf(project: Pick<EngineProject, 'id'>): string {
  return project.id.replaceAll('-', '').slice(0, 12);
}
