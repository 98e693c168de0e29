import type { CredentialsAnswer, PostgresParts } from '@flux/contract/project';
import type { ProjectRow } from '../catalog/projects.ts';
import type { EngineDirectory } from '../engines/directory.ts';
import type { Clock } from '../system/clock.ts';
import type { ExpiryClock } from '../system/expiry-clock.ts';
import { requireActive } from './active.ts';
import { signProjectKey } from './keys.ts';

/** What telling credentials uses. */
export interface CredentialsDeps {
  readonly engines: EngineDirectory;
  readonly clock: Clock & Pick<ExpiryClock, 'latest'>;
}

/** How people and programs outside reach a project. */
export async function readCredentials({ engines, clock }: CredentialsDeps, row: ProjectRow): Promise<CredentialsAnswer> {
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
  const sign = (role: 'anon' | 'service_role') => signProjectKey(project.secrets.jwtSecret, role, clock.now(), clock.latest());
  return {
    ...common,
    anonKey: sign('anon'),
    serviceRoleKey: sign('service_role'),
  };
}

/** A URI that psql and pg_restore accept. */
function toUri({ user, password, host, port, database }: PostgresParts): string {
  const hostPart = host.includes(':') ? `[${host}]` : host;
  return `postgresql://${encodeURIComponent(user)}:${encodeURIComponent(password)}@${hostPart}:${port}/${encodeURIComponent(database)}`;
}
