import { ROUTES } from '@flux/contract/routes';
import { visibleProjects } from '../access/policy.ts';
import { listVisibleProjects } from '../catalog/projects.ts';
import { examineProject, examineServer } from '../projects/doctor.ts';
import type { ApiDoors } from './doors.ts';
import { type Router, requireProject } from './router.ts';

/** What would stop a restore today. */
export function registerDoctorRoutes(router: Router, doors: ApiDoors): void {
  const examined = { ...doors.projects, store: doors.backups.store, machine: doors.machine };
  router.json(ROUTES.examineServer, async ({ principal }) => {
    const projects = await listVisibleProjects(doors.catalog.db, visibleProjects(principal), ['creating', 'active', 'removing']);
    return examineServer(examined, projects);
  });
  router.json(ROUTES.examineProject, async ({ principal, params }) =>
    examineProject(examined, await requireProject(doors, principal, params.hash)),
  );
}
