import { randomBytes, randomUUID } from 'node:crypto';
import type { ProjectHash, ProjectId, UserId } from '@flux/contract/ids';
import Fastify from 'fastify';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { registerProjectTokenRoutes } from '../../src/api/cli-v1/project-token.ts';
import type { ProjectRouteDeps, RouterDeps } from '../../src/api/deps.ts';
import { renderErrors } from '../../src/api/errors.ts';
import { createRateLimit } from '../../src/api/rate-limit.ts';
import { type Catalog, openCatalog } from '../../src/catalog/open.ts';
import { insertProject } from '../../src/catalog/projects.ts';
import { ensureUser } from '../../src/catalog/tokens.ts';
import { EngineDirectory, type EngineSet } from '../../src/engines/directory.ts';
import { signProjectKey } from '../../src/projects/keys.ts';
import { systemClock } from '../../src/system/clock.ts';
import { createSeal } from '../../src/system/seal.ts';
import { openTestCatalog, type TestCatalog } from '../catalog/open-catalog.ts';
import { quietLog } from '../engines/project.ts';

let place: TestCatalog;
let catalog: Catalog;
beforeAll(async () => {
  place = await openTestCatalog();
  catalog = place.catalog;
});
afterAll(() => place?.[Symbol.asyncDispose]());

const JWT_SECRET = 'a secret of the projects';
const engines = new EngineDirectory({} as EngineSet, createSeal(randomBytes(32)));
const keyOf = (role: 'anon' | 'service_role') => signProjectKey(JWT_SECRET, role, new Date());

async function newProject(slug: string, engine: 'v1_dedicated' | 'v2_shared'): Promise<void> {
  await insertProject(catalog.db, {
    id: randomUUID() as ProjectId,
    owner_id: await ensureUser(catalog.db, randomUUID() as UserId, 'somebody'),
    slug,
    hash: randomBytes(4).toString('hex').slice(0, 7) as ProjectHash,
    engine,
    lifecycle: 'active',
    worker_id: null,
    sealed_secrets: engines.sealSecrets({ loginPassword: '', ownerPassword: '', backupPassword: '', jwtSecret: JWT_SECRET }),
  });
}

/** The routes of a server that takes sixty requests a minute. */
function startRoutes(projects: Pick<Catalog, 'db'> = catalog) {
  const app = Fastify();
  renderErrors(app, quietLog);
  const stopping = new AbortController().signal;
  const http = { catalog, clock: { ...systemClock, latest: () => new Date() }, stopping, limits: { answerChecks: 'on' } };
  const rate = createRateLimit(60, () => 0);
  registerProjectTokenRoutes(app, http as unknown as RouterDeps, rate, { catalog: projects, engines } as unknown as ProjectRouteDeps);
  /** The answers to so many requests, as text: 429 only with Retry-After. */
  const ask = async (slug: string, token: string, address: string, count: number) => {
    const answers: string[] = [];
    for (let i = 0; i < count; i++) {
      const { statusCode, headers } = await app.inject({
        url: `/api/projects/${slug}/migrations`,
        headers: { authorization: `Bearer ${token}` },
        remoteAddress: address,
      });
      answers.push(`${statusCode}${headers['retry-after'] === undefined ? '' : ' with Retry-After'}`);
    }
    return answers;
  };
  return { ask, [Symbol.asyncDispose]: () => app.close() };
}
const times = (count: number, answer: string) => Array.from({ length: count }, () => answer);

it('counts by address what it refuses to a key that a project has signed', async () => {
  await newProject('pooled', 'v2_shared');
  await newProject('dedicated', 'v1_dedicated');
  await using routes = startRoutes();
  expect(await routes.ask('pooled', keyOf('anon'), '10.0.0.1', 70)).toEqual([...times(60, '403'), ...times(10, '429 with Retry-After')]);
  const ofDedicated = await routes.ask('dedicated', keyOf('service_role'), '10.0.0.2', 70);
  expect(ofDedicated).toEqual([...times(60, '400'), ...times(10, '429 with Retry-After')]);
  // A good key is counted by its project: this request lacks the hash, and nothing else.
  expect(await routes.ask('pooled', keyOf('service_role'), '10.0.0.1', 1)).toEqual(['400']);
});

it('counts wrong keys apart, and nothing while the catalog is away', async () => {
  await newProject('other', 'v2_shared');
  await using routes = startRoutes();
  const wrong = signProjectKey('another secret', 'service_role', new Date());
  const answers = await routes.ask('other', wrong, '10.0.0.1', 40);
  expect(answers).toEqual([...times(30, '401'), ...times(10, '429 with Retry-After')]);

  const { host, port, user, database } = await place.cluster.createDatabase('away');
  const away = await openCatalog({ host, port, user, database }, () => undefined);
  await place.cluster.run('postgres', 'drop database away with (force)');
  await using without = startRoutes(away);
  expect(await without.ask('other', keyOf('anon'), '10.0.0.1', 70)).toEqual(times(70, '503 with Retry-After'));
  await away.close();
});
