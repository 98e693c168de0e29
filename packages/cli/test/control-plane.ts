import http from 'node:http';
import type { AddressInfo } from 'node:net';

/** One request as the server saw it. */
export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: unknown;
}

/** Answers one request; what it returns is sent as JSON with status 200, unless it answered by itself. */
export type Handler = (request: SeenRequest, response: http.ServerResponse) => unknown;

/** A real HTTP server on loopback that speaks as much of the contract as a test needs. */
export interface ControlPlane {
  readonly base: string;
  readonly seen: SeenRequest[];
  /** `POST /projects/:hash/push` -> handler; paths are below /api/v1. */
  readonly routes: Record<string, Handler>;
  close(): Promise<void>;
}

export const PROJECT = {
  slug: 'bloom-atelier',
  hash: '0a1b2c3',
  mode: 'v1_dedicated',
  attached: false,
  capabilities: ['power', 'staging', 'undo'],
  apiSchema: 'api',
} as const;
export const BACKUP_ID = '0197a5c2-5d1e-7c3a-9b1f-2f6a3c4d5e6f';
export const OPERATION_ID = '0197a5c2-0000-7000-8000-000000000001';

/** A token with right check digits. */
export const TOKEN = 'flx_live_0123456789abcdef0123456789abcdef_33b0';

export async function startControlPlane(routes: Record<string, Handler> = {}): Promise<ControlPlane> {
  const seen: SeenRequest[] = [];
  const known: Record<string, Handler> = {
    [`GET /projects/${PROJECT.hash}`]: () => ({ project: PROJECT }),
    'GET /projects': () => ({ projects: [PROJECT], nextCursor: null }),
    ...routes,
  };
  const server = http.createServer(async (incoming, response) => {
    const url = new URL(incoming.url ?? '/', 'http://localhost');
    const path = url.pathname.replace(/^\/api\/v1/, '');
    let text = '';
    for await (const chunk of incoming) text += chunk;
    const { method = '', headers } = incoming;
    const request = { method, path, query: url.searchParams, headers, body: text === '' ? null : JSON.parse(text) };
    seen.push(request);
    const handler = known[`${method} ${path}`];
    if (handler === undefined) return sendProblem(response, 'not_found', 404, `There is no route ${method} ${path}.`);
    const answer = await handler(request, response);
    if (!response.headersSent && !response.destroyed) sendJson(response, 200, answer);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    base: `http://127.0.0.1:${port}/api`,
    seen,
    routes: known,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export function sendJson(response: http.ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

export function sendProblem(response: http.ServerResponse, code: string, status: number, detail: string, details?: object): void {
  response.writeHead(status, { 'content-type': 'application/problem+json' });
  response.end(JSON.stringify({ type: 'about:blank', title: code, status, detail, error: detail, code, details }));
}

export function operation(state: string, more: object = {}): object {
  return {
    id: OPERATION_ID,
    kind: 'backup_verify',
    state,
    projectHash: PROJECT.hash,
    projectSlug: PROJECT.slug,
    backupId: BACKUP_ID,
    progress: null,
    createdAt: '2026-06-20T17:18:33.697Z',
    startedAt: null,
    finishedAt: null,
    ...more,
  };
}

/** Writes one event of an operation. */
export function sendEvent(response: http.ServerResponse, seq: number, kind: 'progress' | 'state', content: object): void {
  const data = JSON.stringify({ kind, seq, at: '2026-06-20T17:18:33.697Z', ...content });
  response.write(`id: ${seq}\nevent: ${kind}\ndata: ${data}\n\n`);
}

export function backupItem(more: object = {}): Record<string, unknown> {
  return {
    id: BACKUP_ID,
    kind: 'project_db',
    format: 'pg_custom',
    status: 'complete',
    sizeBytes: 5 * 1024 * 1024,
    checksumSha256: 'ab'.repeat(32),
    createdAt: '2026-06-20T17:18:33.697Z',
    completedAt: '2026-06-20T17:18:34.697Z',
    tier: 'not_restore_verified',
    label: 'Created, not restore-verified',
    localArtifactStatus: 'present',
    artifactValidationStatus: 'artifact_valid',
    artifactValidationAt: '2026-06-20T17:18:34.697Z',
    artifactValidationError: null,
    restoreVerificationStatus: 'pending',
    restoreVerificationAt: null,
    restoreVerificationError: null,
    lastVerificationProblem: null,
    offsiteStatus: 'not_configured',
    expiresAt: null,
    pinned: false,
    note: null,
    postgresVersion: '15.18',
    failure: null,
    engine: 'v1_dedicated',
    tables: 11,
    rows: 15607,
    ...more,
  };
}

export function proof(more: object = {}): Record<string, unknown> {
  return {
    verificationId: '0197a5c2-1111-7000-8000-000000000001',
    backupId: BACKUP_ID,
    verdict: 'restorable',
    summary: 'Everything came back.',
    postgresVersion: '15.18',
    sandbox: 'bubblewrap',
    artifactSha256: 'ab'.repeat(32),
    tablesCompared: 11,
    rowsCompared: 15607,
    bytesRead: 5 * 1024 * 1024,
    objectsCompared: { index: 12, policy: 2, sequence: 0 },
    differences: [],
    toolOutput: null,
    durationMs: 2345,
    phasesMs: { open: 45, restore: 2000, compare: 300 },
    receiptId: '0197a5c2-2222-7000-8000-000000000001',
    ...more,
  };
}
