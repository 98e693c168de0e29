import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { EngineKind } from '@flux/contract/labels';
import type { Flux } from '../harness/flux.ts';
import { psql } from '../harness/postgres.ts';
import { catalogUri, superuserUri } from '../harness/superuser.ts';

/** What Postgres has of a project, one line each; nothing when it is gone. */
export async function listInPostgres(flux: Flux, engine: EngineKind, shortId: string): Promise<readonly string[]> {
  return engine === 'v1_dedicated' ? listInstance(flux, `p-${shortId}`) : listTenant(flux, `t_${shortId}`);
}

async function listInstance(flux: Flux, instance: string): Promise<string[]> {
  const folders = ['instances', 'run']
    .filter((folder) => existsSync(join(flux.dataFolder, folder, instance)))
    .map((name) => `folder ${name}`);
  if (folders.length < 2) return folders;
  const listed = await psql(
    superuserUri(flux, instance, 'postgres'),
    `select 'database ' || datname from pg_database where datname not like 'template_' union all
     select 'role ' || rolname from pg_roles where rolname not like 'pg\\_%' order by 1`,
  );
  return [...folders, ...linesOf(listed)];
}

async function listTenant(flux: Flux, prefix: string): Promise<string[]> {
  if (!existsSync(join(flux.dataFolder, 'run/shared'))) return [];
  const isTheirs = (name: string) => `left(${name}, ${prefix.length}) = '${prefix}'`;
  const listed = await psql(
    superuserUri(flux, 'shared', 'flux_shared'),
    `select 'schema ' || nspname from pg_namespace where ${isTheirs('nspname')} union all
     select 'role ' || rolname || case when rolcanlogin then ', may log in' else '' end from pg_roles where ${isTheirs('rolname')} union all
     select distinct 'ledger of ' || tenant_schema from flux.flux_migrations where ${isTheirs('tenant_schema')} order by 1`,
  );
  return linesOf(listed);
}

/** What no command may leave behind when it came to its end: files that no row claims, instances of nobody, disposable ones. */
export async function findCommonLitter(flux: Flux): Promise<string[]> {
  const backups = join(flux.dataFolder, 'backups');
  const claimed = linesOf(await psql(catalogUri(flux), `select key from copies where state <> 'removed'`));
  const files = existsSync(backups)
    ? readdirSync(backups, { recursive: true, encoding: 'utf8' }).filter((name) => /^(?!receipts\/).+\//.test(name))
    : [];
  const stray = files.filter((name) => !claimed.includes(name.replace(/\.manifest\.json$/, '.dump')));
  const missing = claimed.filter((name) => !files.includes(name));
  const live = linesOf(
    await psql(
      catalogUri(flux),
      `select 'p-' || left(replace(id::text, '-', ''), 12) from projects where lifecycle <> 'removed' and (engine = 'v1_dedicated' or migration_state is not null)`,
    ),
  );
  const instances = readdirSync(join(flux.dataFolder, 'instances')).filter((name) => name.startsWith('p-') && !live.includes(name));
  const disposable = join(flux.dataFolder, 'disposable');
  return [
    ...stray.map((name) => `${name} belongs to no backup`),
    ...missing.map((name) => `${name} is not there`),
    ...instances.map((name) => `instance ${name} belongs to no project`),
    ...(existsSync(disposable) ? readdirSync(disposable) : []).map((name) => `disposable instance ${name} is left`),
  ];
}

function linesOf(text: string): string[] {
  return text.split('\n').filter((line) => line !== '');
}
