// Fetches the source package of the host's PostgreSQL and takes its regression tests out, with their C library compiled: what
// `make installcheck` needs, for tests that make its database. Nothing is installed.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { debianMirror } from './debian-mirror.mjs';

const RELEASES = { 15: 'bookworm', 17: 'trixie' };

/**
 * Finds the regression tests of a major in a folder that git ignores, or fetches them.
 *
 * @param {number} major
 * @returns {{folder: string, library: string} | {refused: string}} the folder of `src/test/regress` and its library, or why there is none
 */
export function prepareRegressionSource(major) {
  const final = fileURLToPath(new URL(`../../.flux-majors/regression-${major}`, import.meta.url));
  const answer = { folder: join(final, 'regress'), library: join(final, 'regress.so') };
  if (existsSync(answer.library)) return answer;
  const mirror = debianMirror();
  const release = RELEASES[major];
  if (mirror === undefined || release === undefined) return { refused: `no source package of PostgreSQL ${major} is known for this host` };
  if (run('gcc', ['--version'], '/').status !== 0) return { refused: 'gcc is not installed' };
  const folder = mkdtempSync(join(tmpdir(), 'flux-regression-'));
  try {
    for (const part of ['sources', 'lists/partial', 'cache/archives/partial', 'debs', 'made'])
      mkdirSync(join(folder, part), { recursive: true });
    writeFileSync(join(folder, 'status'), '');
    writeFileSync(
      join(folder, 'sources', 'release.sources'),
      `Types: deb deb-src\nURIs: ${mirror.uri}\nSuites: ${release}\nComponents: main\n${mirror.signedBy === undefined ? '' : `Signed-By: ${mirror.signedBy}\n`}`,
    );
    const why = fetchAndCompile(folder, major);
    if (why !== undefined) return { refused: why };
    mkdirSync(dirname(final), { recursive: true });
    rmSync(final, { recursive: true, force: true });
    const beside = `${final}-${process.pid}`;
    run('cp', ['-a', join(folder, 'made'), beside], '/');
    renameSync(beside, final);
    return answer;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The answer is why not. */
function fetchAndCompile(folder, major) {
  const options = {
    'Dir::Etc::SourceList': '/dev/null',
    'Dir::Etc::SourceParts': join(folder, 'sources'),
    'Dir::State': folder,
    'Dir::State::Lists': join(folder, 'lists'),
    'Dir::State::Status': join(folder, 'status'),
    'Dir::Cache': join(folder, 'cache'),
    'APT::Sandbox::User': 'root',
    'Acquire::Retries': '2',
  };
  const settings = Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
  const debs = join(folder, 'debs');
  const made = join(folder, 'made');
  const found = (pattern) => join(debs, readdirSync(debs).find((name) => pattern.test(name)) ?? 'nothing');
  const steps = [
    () => ['apt-get', [...settings, '-q', 'update']],
    () => ['apt-get', [...settings, '-q', 'source', '--download-only', `postgresql-${major}`]],
    () => ['apt-get', [...settings, '-q', 'download', `postgresql-server-dev-${major}`]],
    () => ['tar', ['xf', found(/\.orig\.tar\./), '--strip-components=3', '-C', made, '--wildcards', '*/src/test/regress/*']],
    () => ['dpkg-deb', ['-x', found(/^postgresql-server-dev.*\.deb$/), join(folder, 'dev')]],
    () => [
      'gcc',
      [
        '-fPIC',
        '-shared',
        '-O1',
        '-I',
        join(folder, `dev/usr/include/postgresql/${major}/server`),
        '-o',
        join(made, 'regress.so'),
        join(made, 'regress/regress.c'),
      ],
    ],
  ];
  for (const step of steps) {
    const [program, args] = step();
    const ended = run(program, args, debs);
    if (ended.status !== 0) return `${program} failed: ${(ended.stderr ?? '').trim().split('\n').at(-1)}`;
  }
  return undefined;
}

function run(program, args, cwd) {
  return spawnSync(program, args, { cwd, encoding: 'utf8', env: { ...process.env, LC_ALL: 'C' } });
}
