import { FluxError } from '@flux/contract/errors';
import type { EnableExtensionAnswer, ExtensionItem } from '@flux/contract/extension';
import { covers } from '@flux/contract/token';
import type * as z from 'zod';
import type { Principal } from '../access/policy.ts';
import { recordAudit } from '../catalog/audit.ts';
import type { Catalog } from '../catalog/open.ts';
import type { ProjectRow } from '../catalog/projects.ts';
import type { EngineDirectory } from '../engines/directory.ts';
import { createServerExtension, listServerExtensions, type ServerExtension } from '../postgres/administer/extensions.ts';
import { connectPostgres, serverErrorOf } from '../postgres/connect.ts';
import { requireActive } from './active.ts';

/** What listing and enabling extensions uses. */
export interface ExtensionDeps {
  readonly catalog: Catalog;
  readonly engines: EngineDirectory;
  /** The operator's list. */
  readonly allowedExtensions: readonly string[];
}

/** The extensions that the server of a project has. @throws FluxError `not_ready`, `invalid_request` for an attached database */
export async function listExtensions(deps: ExtensionDeps, row: ProjectRow, signal: AbortSignal): Promise<ExtensionItem[]> {
  await using session = await connect(deps, row, signal);
  return (await listServerExtensions(session)).map((extension) => toItem(deps, row, extension));
}

/**
 * Creates an extension in the project's database, with those that it needs; on a pooled project for everybody in the pool.
 *
 * @throws FluxError `not_found` when this host does not have it; `forbidden` saying who can enable it, and how; `postgres_failed`
 */
export async function enableExtension(
  deps: ExtensionDeps,
  row: ProjectRow,
  principal: Principal,
  name: string,
  signal: AbortSignal,
): Promise<z.infer<typeof EnableExtensionAnswer>> {
  await using session = await connect(deps, row, signal);
  const available = new Map((await listServerExtensions(session)).map((extension) => [extension.name, extension]));
  const answer = (extension: ServerExtension, created: string[]) => ({ extension: toItem(deps, row, extension), created });
  const wanted = available.get(name);
  if (wanted === undefined) throw notHere(row, name);
  if (wanted.schema !== null) return answer(wanted, []);
  const missing = missingOf(row, wanted, available);
  for (const extension of missing) requireEnabler(deps, row, principal, extension);
  await create(session, missing, row);
  const created = missing.map((extension) => extension.name);
  await recordAudit(deps.catalog.db, principal.actor, {
    action: 'project.extension_enable',
    projectId: row.id,
    subject: name,
    details: { created, engine: row.engine },
  });
  const there = (await listServerExtensions(session)).find((extension) => extension.name === name) ?? wanted;
  return answer(there, created);
}

async function connect({ engines }: ExtensionDeps, row: ProjectRow, signal: AbortSignal) {
  requireActive(row);
  const { engine, project } = engines.of(row);
  return await connectPostgres(await engine.administrator(project, signal), { signal });
}

function toItem(deps: ExtensionDeps, row: ProjectRow, extension: ServerExtension): ExtensionItem {
  const { name, version, comment, schema, installedVersion } = extension;
  const enabledBy = enablerOf(deps, row, extension);
  return { name, version: installedVersion ?? version, comment, schema, installed: schema !== null, enabledBy };
}

/**
 * A trusted extension gives nobody more rights. In the pool it comes to everybody, so there the operator has to have thought of it;
 * another one runs code as the server's account, so that an admin has to ask for it as well.
 */
function enablerOf({ allowedExtensions }: ExtensionDeps, { engine }: ProjectRow, { name, trusted }: ServerExtension) {
  if (trusted && engine === 'v1_dedicated') return 'write';
  if (!allowedExtensions.includes(name)) return 'nobody';
  return trusted ? 'write' : 'admin';
}

function requireEnabler(deps: ExtensionDeps, row: ProjectRow, { token }: Principal, extension: ServerExtension): void {
  const { name } = extension;
  const command = `flux extension enable ${name} --project ${row.slug} --hash ${row.hash}`;
  const enabler = enablerOf(deps, row, extension);
  if (enabler === 'nobody')
    throw new FluxError('forbidden', `The operator of this control plane does not allow the extension ${name}. Nothing was changed.`, {
      hint: `The operator adds ${name} to FLUX_EXTENSIONS_ALLOWED and starts the control plane again; then an admin runs \`${command}\`.`,
    });
  if (covers(token.access, enabler)) return;
  throw new FluxError(
    'forbidden',
    `The extension ${name} can do what only a superuser may, so an admin token is needed. Nothing was changed.`,
    {
      hint: `Ask an admin to run \`${command}\`.`,
    },
  );
}

/** The extension and those that it needs and that are not installed, each after what it needs itself. */
function missingOf(row: ProjectRow, wanted: ServerExtension, available: ReadonlyMap<string, ServerExtension>): ServerExtension[] {
  const found = new Map<string, ServerExtension>();
  const visit = (extension: ServerExtension): void => {
    if (extension.schema !== null || found.has(extension.name)) return;
    for (const name of extension.requires) {
      const other = available.get(name);
      if (other === undefined) throw notHere(row, name, extension.name);
      // The script of this one calls functions of the other one, and would find those of whoever may create some beside them.
      if (!extension.trusted && other.schema !== null && !other.isAdministrators)
        throw new FluxError(
          'not_ready',
          `${extension.name} needs ${name}, which is installed in ${other.schema}, where others than the administrator create functions. Nothing was changed.`,
          { hint: `Drop the extension ${name} with \`flux push\` if nothing uses it; enabling ${extension.name} creates it again.` },
        );
      visit(other);
    }
    found.set(extension.name, extension);
  };
  visit(wanted);
  return [...found.values()];
}

async function create(session: Awaited<ReturnType<typeof connect>>, missing: readonly ServerExtension[], row: ProjectRow): Promise<void> {
  const names = missing.map(({ name }) => name).join(', ');
  let isDone: boolean;
  try {
    isDone = await createServerExtension(session, missing);
  } catch (error) {
    const problem = serverErrorOf(error);
    if (problem === undefined) throw error;
    throw new FluxError('postgres_failed', `Postgres did not create ${names}: ${problem.message}. Nothing was changed.`, {
      hint: problem.hint ?? `See \`flux extension list ${row.slug}\`.`,
      cause: error,
    });
  }
  if (isDone) return;
  throw new FluxError(
    'not_ready',
    `Others than the administrator own the schemas that ${names} could be created in. Nothing was changed.`,
    {
      hint: 'Rename the schemas extensions and extensions_<name of the extension> with `flux push`: ALTER SCHEMA ... RENAME TO ....',
    },
  );
}

function notHere({ slug }: ProjectRow, name: string, neededBy?: string): FluxError {
  const what = neededBy === undefined ? '' : `, which ${neededBy} needs`;
  return new FluxError('not_found', `The server of ${slug} does not have the extension ${name}${what}. Nothing was changed.`, {
    hint: `\`flux extension list ${slug}\` shows those that it has. The operator installs the package of another one on the host of the control plane.`,
  });
}
