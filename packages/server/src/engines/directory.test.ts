import { randomBytes } from 'node:crypto';
import type { ProjectId, UserId } from '@flux/contract/ids';
import { expect, it } from 'vitest';
import { createSeal } from '../system/seal.ts';
import { EngineDirectory, type EngineSet, type StoredProject } from './directory.ts';

const secrets = { loginPassword: 'a', ownerPassword: 'b', backupPassword: 'c', jwtSecret: 'd' };
const seal = createSeal(randomBytes(32));
// Only which one is chosen matters here.
const engines = {
  v1_dedicated: { name: 'dedicated' },
  v2_shared: { name: 'shared' },
  attached: { name: 'attached' },
} as unknown as EngineSet;
const directory = new EngineDirectory(engines, seal);

function stored(change: Partial<StoredProject> = {}): StoredProject {
  const id = '0190d5a4-0000-7000-8000-000000000000' as ProjectId;
  return {
    id,
    slug: 'shop',
    hash: 'abcdef0',
    owner_id: 'owner' as UserId,
    engine: 'v2_shared',
    attached: false,
    scope: null,
    sealed_secrets: directory.sealSecrets(secrets),
    ...change,
  };
}

it.each([
  [{}, 'shared'],
  [{ engine: 'v1_dedicated' }, 'dedicated'],
  [{ engine: 'v1_dedicated', attached: true }, 'attached'],
] as const)('chooses the engine and opens the secrets of %o', (change, name) => {
  const { engine, project } = directory.of(stored(change));
  expect(engine.name).toBe(name);
  expect(project.secrets).toEqual(secrets);
});

it('says which key is missing when the secrets were sealed with another one', () => {
  const other = new EngineDirectory(engines, createSeal(randomBytes(32)));
  expect(() => other.of(stored())).toThrow(
    expect.objectContaining({ code: 'volume_unusable', hint: expect.stringContaining('secret.key') }),
  );
});

it('opens no secrets for who only looks, and says the same to who reads them', () => {
  const other = new EngineDirectory(engines, createSeal(randomBytes(32)));
  const { engine, project } = other.toLook(stored());
  expect({ name: engine.name, slug: project.slug }).toEqual({ name: 'shared', slug: 'shop' });
  expect(() => project.secrets).toThrow(expect.objectContaining({ code: 'volume_unusable' }));
});

it('refuses secrets that are not whole', () => {
  const sealed_secrets = seal.seal(JSON.stringify({ ...secrets, jwtSecret: undefined }));
  expect(() => directory.of(stored({ sealed_secrets }))).toThrow(expect.objectContaining({ code: 'volume_unusable' }));
});

it('opens a scope for who reads it alone, and says what to do about one that cannot be read', () => {
  const { engine, project } = directory.toLook(stored({ attached: true, scope: { schemas: 5 } }));
  expect({ name: engine.name, slug: project.slug }).toEqual({ name: 'attached', slug: 'shop' });
  const said = expect.objectContaining({
    code: 'volume_unusable',
    hint: expect.stringContaining('flux project attach shop --hash abcdef0'),
  });
  expect(() => project.scope).toThrow(said);
  expect(() => directory.of(stored({ attached: true, scope: { schemas: 5 } }))).toThrow(said);
});
