import type { CredentialsAnswer, PostgresParts } from '@flux/contract/project';
import type { ProjectRow } from '../catalog/projects.ts';
import type { EngineDirectory } from '../engines/directory.ts';
import { requireActive } from './active.ts';
import { signProjectKey } from './keys.ts';

/** How people and programs outside reach a project. */
export async function readCredentials({ engines }: { readonly engines: EngineDirectory }, row: ProjectRow): Promise<CredentialsAnswer> {
  requireActive(row);
  const { engine, project } = engines.of(row);
  const postgres = await engine.credentials(project);
  const common = {
    mode: row.engine,
    slug: row.slug,
    hash: row.hash,
    postgres: { ...postgres, url: toUri(postgres) },
    projectJwtSecret: project.secrets.jwtSecret,
  };
  if (row.engine === 'v2_shared') {
    return {
      ...common,
      note: `This login reaches only the schema ${engine.apiSchema(project)} of a pooled cluster.`,
    };
  }
  return {
    ...common,
    anonKey: signProjectKey(project.secrets.jwtSecret, 'anon'),
    serviceRoleKey: signProjectKey(project.secrets.jwtSecret, 'service_role'),
  };
}

/** A URI that psql and pg_restore accept. */
function toUri({ user, password, host, port, database }: PostgresParts): string {
  const hostPart = host.includes(':') ? `[${host}]` : host;
  return `postgresql://${encodeURIComponent(user)}:${encodeURIComponent(password)}@${hostPart}:${port}/${encodeURIComponent(database)}`;
}
