import { ROUTES } from '@flux/contract/routes';
import { requestImport, requireImporting } from '../../backups/import/request.ts';
import { Uploads } from '../../backups/import/uploads.ts';
import type { BackupRouteDeps } from '../deps.ts';
import { receiveFile } from '../receive.ts';
import { type Router, requireProject } from '../router.ts';
import { startWork } from './start-work.ts';

/** The route that receives an archive. */
export function registerImportRoute(router: Router, deps: BackupRouteDeps): void {
  const uploads = new Uploads();
  router.json(ROUTES.importBackup, async ({ principal, params, query, request, signal }) => {
    const project = await requireProject(deps, principal, params.hash);
    const id = await receiveFile(request, async (file) => {
      requireImporting(project);
      using share = uploads.begin(project.id);
      return await requestImport(deps, project, principal.actor, { ...file, ...query, share }, signal);
    });
    return startWork(deps, id);
  });
}
