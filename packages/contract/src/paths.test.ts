import { expect, it } from 'vitest';
import { PATHS } from './paths.ts';
import { fillPath } from './route.ts';
import { ROUTES } from './routes.ts';

it('names every route of the API as it is', () => {
  const routes = Object.entries(ROUTES).map(([name, { method, path }]) => [name, { method, path }]);
  expect(PATHS).toEqual(Object.fromEntries(routes));
});

it('encodes what goes into a path and leaves out what is undefined', () => {
  expect(fillPath('/projects/:hash/backups/:id', { hash: 'a/b', id: '?' }, { limit: 5, cursor: undefined })).toBe(
    '/projects/a%2Fb/backups/%3F?limit=5',
  );
});
