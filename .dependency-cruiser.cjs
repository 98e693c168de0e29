/** The floors of ARCHITECTURE.md, kept by `npm run check`. Each rule says why, since its comment is what a developer reads. */
const server = '^packages/server/src/';
const room = (names) => `${server}(${names})(/|\\.ts$)`;

/** A room may import itself, system, and the rooms that are named. */
const above = (name, ruleName, below, comment) => ({
  name: ruleName,
  severity: 'error',
  comment,
  from: { path: room(name) },
  to: { path: server, pathNot: room([name, 'system', ...below].join('|')) },
});

const FLOOR_2 = ['engines', 'disposable', 'instances', 'postgres', 'blobs', 'catalog'];

module.exports = {
  forbidden: [
    {
      name: 'no-circular',
      severity: 'error',
      comment: 'A circle of imports has no floor to stand on: move what both need below them.',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only', 'dynamic-import'] } },
    },
    {
      name: 'contract-imports-nothing-of-ours',
      severity: 'error',
      comment: 'contract is floor 0: it crosses the wire, so it imports nothing of ours.',
      from: { path: '^packages/contract/src/' },
      to: { path: '^packages/(server|cli|dashboard)/' },
    },
    {
      name: 'contract-no-node',
      severity: 'error',
      comment: 'contract also runs in a browser: no modules of Node.',
      from: { path: '^packages/contract/src/', pathNot: '\\.test\\.ts$' },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'cli-imports-contract-only',
      severity: 'error',
      comment: 'The CLI talks to the server over the wire; it imports contract and nothing else of ours.',
      from: { path: '^packages/cli/' },
      to: { path: '^packages/(server|dashboard)/' },
    },
    {
      name: 'dashboard-imports-contract-only',
      severity: 'error',
      comment: 'The page talks to the server over the wire; it imports contract and nothing else of ours.',
      from: { path: '^packages/dashboard/' },
      to: { path: '^packages/(server|cli)/' },
    },
    {
      name: 'server-not-its-clients',
      severity: 'error',
      comment: 'The server knows nothing of its clients.',
      from: { path: '^packages/server/' },
      to: { path: '^packages/(cli|dashboard)/' },
    },
    above('system', 'system-is-floor-1', [], 'system is the toolbox: it knows nothing of ours.'),
    above(
      'postgres',
      'postgres-is-lowest',
      [],
      'On floor 2 the order is engines -> disposable -> instances -> postgres: postgres imports system only.',
    ),
    above('instances', 'instances-above-postgres', ['postgres'], 'instances may import postgres and nothing else of floor 2 or above.'),
    above(
      'disposable',
      'disposable-above-instances',
      ['instances', 'postgres'],
      'disposable may import instances and postgres and nothing else of floor 2 or above.',
    ),
    above(
      'engines',
      'engines-above-disposable',
      ['disposable', 'instances', 'postgres'],
      'engines may import disposable, instances and postgres and nothing else of floor 2 or above.',
    ),
    above('blobs', 'blobs-alone', [], 'blobs imports system only: where bytes live knows nothing of what they mean.'),
    above('catalog', 'catalog-alone', [], 'catalog imports system only: the truth about backups depends on nothing that it describes.'),
    above(
      'operations',
      'operations-catalog-and-system-only',
      ['catalog'],
      'operations carries out every kind of work through its definition; it imports catalog and system only.',
    ),
    above('access', 'access-above-operations', ['operations', ...FLOOR_2], 'access is below backups and projects, and beside notify.'),
    above('notify', 'notify-above-operations', ['operations', ...FLOOR_2], 'notify is below backups and projects, and beside access.'),
    above(
      'backups',
      'backups-below-projects',
      ['access', 'notify', 'operations', ...FLOOR_2],
      'projects may import backups, never the reverse; neither knows HTTP, the queue or how it is composed.',
    ),
    above(
      'projects',
      'projects-top-of-domain',
      ['backups', 'access', 'notify', 'operations', ...FLOOR_2],
      'The domain knows neither HTTP nor the queue nor how it is composed.',
    ),
    ...['api', 'worker', 'schedules'].map((driver) => ({
      name: `${driver}-not-other-drivers`,
      severity: 'error',
      comment: 'api, worker and schedules are drivers of one domain; they never import each other.',
      from: { path: room(driver) },
      to: { path: room('api|worker|schedules'), pathNot: room(driver) },
    })),
    {
      name: 'drivers-not-composition',
      severity: 'error',
      comment: 'Drivers are handed what they need; only main and compose construct.',
      from: { path: room('api|worker|schedules') },
      to: { path: room('compose|main|config') },
    },
    {
      name: 'drivers-not-adapters',
      severity: 'error',
      comment: 'A driver reaches Postgres, instances and files through the domain, never by itself.',
      from: { path: room('api|worker|schedules') },
      to: { path: room('engines|disposable|instances|postgres|blobs'), dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'only-process-spawns',
      severity: 'error',
      comment: 'Only system/process.ts starts child processes: one place decides on environment, account and endings.',
      from: { path: server, pathNot: `${server}system/process\\.ts$` },
      to: { path: '^(node:)?child_process$' },
    },
    {
      name: 'only-docker-talks-to-docker',
      severity: 'error',
      comment: 'Only the docker/ folders talk to Docker.',
      from: { path: server, pathNot: `${server}(instances|disposable)/docker/` },
      to: { path: 'node_modules/dockerode' },
    },
    {
      name: 'only-catalog-and-postgres-connect',
      severity: 'error',
      comment: 'Only catalog/ and postgres/ open database connections.',
      from: { path: server, pathNot: `${server}(catalog|postgres)/` },
      to: { path: 'node_modules/(pg|pg-pool|pg-copy-streams)/' },
    },
    {
      name: 'only-catalog-builds-queries',
      severity: 'error',
      comment: 'Only catalog/ imports the query builder: a query elsewhere is a function that the file of its table does not have yet.',
      from: { path: server, pathNot: `${server}catalog/` },
      to: { path: 'node_modules/kysely/' },
    },
    {
      name: 'only-api-uses-fastify',
      severity: 'error',
      comment: 'Only api/ knows HTTP.',
      from: { path: server, pathNot: `${server}api/` },
      to: { path: 'node_modules/fastify' },
    },
    {
      name: 'only-drivers-use-queue',
      severity: 'error',
      comment: 'Only worker/ and schedules/ know the queue.',
      from: { path: server, pathNot: `${server}(worker|schedules)/` },
      to: { path: 'node_modules/pg-boss' },
    },
    {
      name: 'no-unresolved-import',
      severity: 'error',
      comment: 'A module that cannot be resolved would fail at run time.',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    // Only ours: libraries whose entry is in a dist/ would be left out as well, and their rules would refuse nothing.
    exclude: { path: '^packages/[^/]+/dist/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.base.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
      extensions: ['.ts', '.js', '.mjs', '.cjs', '.json'],
    },
  },
};
