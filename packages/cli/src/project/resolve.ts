import { type Capability, explainAbsence } from '@flux/contract/capability';
import { FluxError } from '@flux/contract/errors';
import { isPlaceholderHash, isProjectHash, isSlug, PLACEHOLDER_HASH } from '@flux/contract/ids';
import type { EngineKind } from '@flux/contract/labels';
import type { ProjectSummary } from '@flux/contract/project';
import type { ProjectOptions } from '../command.ts';
import type { Context } from '../context.ts';
import { parseLink } from '../settings/link.ts';
import type { Settings } from '../settings/settings.ts';
import { readProjects } from './read.ts';

/** A project whose slug and hash are known to belong together. */
export interface ResolvedProject {
  readonly slug: string;
  readonly hash: string;
  readonly mode: EngineKind;
  /** A database of the user's own, which Flux backs up but does not run. */
  readonly attached: boolean;
  readonly capabilities: readonly Capability[];
  /** `--project <slug> --hash <hash>`, for the next command. */
  readonly flags: string;
}

/**
 * Finds the project that a command is about, and compares slug and hash before anything is sent that could change something.
 *
 * @throws FluxError `usage`, `project_mismatch`, `project_not_found`
 */
export async function resolveProject(
  context: Pick<Context, 'client' | 'settings' | 'output'>,
  options: ProjectOptions,
  positional?: string,
): Promise<ResolvedProject> {
  const project = await findProject(context, options, positional);
  const isNamedHere = options.project !== undefined || options.hash !== undefined || positional !== undefined;
  if (isNamedHere) context.output.about(project.flags);
  return project;
}

async function findProject(
  context: Pick<Context, 'client' | 'settings'>,
  options: ProjectOptions,
  positional?: string,
): Promise<ResolvedProject> {
  const named = nameProject(context.settings, options, positional);
  if (named.hash !== null) {
    const { project: found } = await context.client().call('showProject', { params: { hash: named.hash } });
    if (named.slug !== null && named.slug !== found.slug) {
      throw new FluxError(
        'project_mismatch',
        `The slug and the hash name different projects: you wrote ${named.slug}, but ${named.hash} is the hash of ${found.slug}. Nothing was done.`,
        { hint: 'See `flux list`.', details: { slug: named.slug, hash: named.hash, slugOfHash: found.slug } },
      );
    }
    return describe(found);
  }
  const projects = await readProjects(context, 'unfinished');
  const found = projects.find((project) => project.slug === named.slug);
  if (found === undefined)
    throw new FluxError('project_not_found', `You have no project named ${named.slug}.`, { hint: 'See `flux list`.' });
  return describe(found);
}

function describe({ slug, hash, mode, attached, capabilities }: ProjectSummary): ResolvedProject {
  return { slug, hash, mode, attached, capabilities, flags: `--project ${slug} --hash ${hash}` };
}

/**
 * Refuses a command that needs a missing capability before asking for a confirmation. The control plane refuses it too.
 *
 * @throws FluxError `invalid_request` saying why the project does not have it, and what to do instead
 */
export function requireCapability(project: ResolvedProject, capability: Capability): void {
  if (project.capabilities.includes(capability)) return;
  const { why, hint } = explainAbsence(project, capability);
  throw new FluxError('invalid_request', `${why} Nothing was done.`, { hint, details: { capability } });
}

/** The project that the command line and flux.json name, without a request. Flags beat the file; the file only completes its own project. */
export function nameProject(
  settings: Pick<Settings, 'linkFile'>,
  options: ProjectOptions,
  positional?: string,
): { readonly slug: string | null; readonly hash: string | null } {
  if (positional !== undefined && options.project !== undefined && positional !== options.project) {
    throw new FluxError('usage', `Two projects are named: ${positional} and ${options.project}.`, { hint: 'Name one.' });
  }
  const slug = positional ?? options.project ?? null;
  const hash = options.hash ?? null;
  if (slug !== null && !isSlug(slug)) {
    throw new FluxError('usage', `${JSON.stringify(slug)} is not the name of a project: 1 to 40 of a-z, 0-9 and hyphens.`, {
      hint: 'See `flux list`.',
    });
  }
  if (hash !== null) return { slug, hash: checkHash(hash, '--hash', slug) };

  const link = settings.linkFile === null ? null : parseLink(settings.linkFile.path, settings.linkFile.text);
  if (slug !== null) {
    const isSame = link !== null && link.slug === slug && link.hash !== null && !isPlaceholderHash(link.hash);
    return { slug, hash: isSame ? checkHash(link.hash, link.path, slug) : null };
  }
  if (link === null || (link.slug === null && link.hash === null)) {
    throw new FluxError('usage', 'No project is named, and there is no flux.json here or in a folder above.', {
      hint: 'Add --project <slug> --hash <7hex> (see `flux list`), or run `flux init` in the folder of the project.',
    });
  }
  return { slug: link.slug, hash: link.hash === null ? null : checkHash(link.hash, link.path, link.slug) };
}

function checkHash(hash: string, source: string, slug: string | null): string {
  if (isPlaceholderHash(hash)) {
    throw new FluxError('usage', `The project is not initialised: the hash in ${source} is still the placeholder ${PLACEHOLDER_HASH}.`, {
      hint: `Run \`flux init${slug === null || !isSlug(slug) ? '' : ` ${slug}`}\` to write the real one.`,
    });
  }
  if (isProjectHash(hash)) return hash;
  throw new FluxError('usage', `${JSON.stringify(hash)} (${source}) is not the hash of a project: seven digits of 0-9 and a-f.`, {
    hint: 'See `flux list`.',
  });
}
