import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

const LICENSE_FILE = /^(?:licen[cs]e|copying)(?:[.-].*)?$/i;
const PACKAGE_FOLDER = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//;

/**
 * The licence texts of the packages in a bundle, for the file that is distributed with it.
 *
 * @param {string} root the folder that the paths of the metafile are relative to
 * @param {Iterable<string>} inputs the paths of all bundled files, as in esbuild's metafile
 * @param {Readonly<Record<string, string>>} extra paths of further texts, by the name of the package whose text they follow
 * @returns {Promise<string>}
 * @throws {Error} when a package has no licence file, since its licence requires one
 */
export async function thirdPartyLicenses(root, inputs, extra = {}) {
  const folders = new Set([...inputs].flatMap((path) => PACKAGE_FOLDER.exec(path)?.[1] ?? []));
  const sections = await Promise.all([...folders].map((folder) => sectionOf(join(root, folder), extra)));
  return sections.toSorted().join(`\n${'-'.repeat(80)}\n\n`);
}

async function sectionOf(folder, extra) {
  const { name, version, license } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
  const file = (await readdir(folder)).find((entry) => LICENSE_FILE.test(entry));
  if (file === undefined) throw new Error(`${name} is bundled, but its package has no licence file`);
  const more = extra[name] === undefined ? '' : `\n${await readFile(extra[name], 'utf8')}`;
  return `${name} ${version} (${license})\n\n${(await readFile(join(folder, file), 'utf8')).trim()}\n${more}`;
}
