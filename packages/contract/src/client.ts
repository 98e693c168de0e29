import type * as z from 'zod';
import { errorFromAnswer, type Reviver } from './answer-error.ts';
import { ENDPOINTS, type OperationRoute, type RouteName, type STARTS } from './endpoints.ts';
import { FluxError, isFluxError } from './errors.ts';
import { parseEventStream } from './event-stream.ts';
import type { Operation, OperationEvent } from './operation.ts';
import type { OperationResult } from './operation-results.ts';
import { buildPath, type ParamsIn } from './route.ts';
import type { ROUTES } from './routes.ts';
import type { AbortSignalLike, ByteSource, HttpRequest, HttpResponse, HttpTransport } from './transport.ts';

/** What a client needs. */
export interface ClientOptions {
  /** Address of the API with its `/api`: `http://127.0.0.1:4400/api`. */
  readonly base: string;
  readonly token: string | null;
  readonly transport: HttpTransport;
  /** Creates a unique key, sent with every POST so that a repeated request is recognised. */
  readonly newIdempotencyKey: () => string;
  readonly userAgent?: string;
  /** Changes each value of an answer as it is parsed. */
  readonly reviver?: Reviver | undefined;
}

type BodyOf<Name extends RouteName> = (typeof ROUTES)[Name] extends { readonly body: infer Schema extends z.ZodType }
  ? z.input<Schema>
  : undefined;
/** The answer of a route. */
export type AnswerOf<Name extends RouteName> = (typeof ROUTES)[Name] extends { readonly answer: infer Schema extends z.ZodType }
  ? z.output<Schema>
  : undefined;
type ParamsOf<Name extends RouteName> = { readonly [Key in ParamsIn<(typeof ENDPOINTS)[Name]['path']>]: string };

/** The input of one call. */
export interface CallInput<Name extends RouteName> {
  readonly params: ParamsOf<Name>;
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly body?: BodyOf<Name>;
  /** The body of a route that receives a file. */
  readonly content?: ByteSource;
  readonly signal?: AbortSignalLike | undefined;
  /** Timeout without any bytes received, in milliseconds; by default 60 s for a GET and 10 min otherwise. Null waits forever. */
  readonly idleMs?: number | null;
}

/** How long to go on asking a control plane that does not answer at the moment. */
export interface Patience {
  readonly delay: (ms: number) => Promise<void>;
  /** Milliseconds without any contact after which to give up. */
  readonly timeoutMs: number;
  /** Called when contact breaks, and again with false when it is back. */
  readonly onContactLost?: (isLost: boolean) => void;
}

/** A typed client of the control plane. Every method rejects with a FluxError. */
export interface FluxClient {
  readonly base: string;
  /** Calls a JSON route and waits for its answer. */
  call<Name extends RouteName>(name: Name, input: CallInput<Name>): Promise<AnswerOf<Name>>;
  /**
   * Starts long work. A start that got no answer, or met a control plane that is being started again, is repeated with the same
   * Idempotency-Key: the work is done once.
   *
   * @throws FluxError `lost_contact` also when the first request may have arrived and nothing answered since
   */
  start<Name extends OperationRoute>(name: Name, input: CallInput<Name>, patience?: Patience): Promise<Operation<(typeof STARTS)[Name]>>;
  /** The events of an operation after `afterSeq`, until the server ends the stream. */
  events(operationId: string, afterSeq: number | null, signal?: AbortSignalLike): AsyncGenerator<OperationEvent>;
  /**
   * Opens a download at `from`. `ifRange` is the ETag of the bytes before it: when the file has changed since, all bytes are sent again (200).
   * A 416 is returned like a success: there is nothing after `from`.
   */
  download(hash: string, backupId: string, options: DownloadOptions): Promise<HttpResponse>;
}

/** Where a download resumes. */
export interface DownloadOptions {
  readonly from: number;
  readonly ifRange: string | null;
  readonly signal?: AbortSignalLike | undefined;
}

/** The result of the operation that a route starts. */
export type ResultOf<Name extends OperationRoute> = OperationResult<(typeof STARTS)[Name]>;

const GET_IDLE_MS = 60_000;
const OTHER_IDLE_MS = 600_000;

/** Creates a client. Connections belong to the transport. */
export function createFluxClient(options: ClientOptions): FluxClient {
  const root = `${options.base}/v1`;

  const headers = (method: string, extra: Readonly<Record<string, string>> = {}): Record<string, string> => ({
    accept: 'application/json',
    ...(options.userAgent === undefined ? {} : { 'user-agent': options.userAgent }),
    ...(options.token === null ? {} : { authorization: `Bearer ${options.token}` }),
    ...(method === 'POST' ? { 'idempotency-key': options.newIdempotencyKey() } : {}),
    ...extra,
  });

  const send = async (request: HttpRequest, welcome?: number): Promise<HttpResponse> => {
    const response = await options.transport(request);
    if ((response.status >= 200 && response.status < 300) || response.status === welcome) return response;
    throw errorFromAnswer(response.status, await response.text(), options.base, options.reviver);
  };

  const prepare = <Name extends RouteName>(name: Name, input: CallInput<Name>, extra: Readonly<Record<string, string>> = {}) => {
    const { method, path } = ENDPOINTS[name];
    const body = input.content ?? (input.body === undefined ? null : JSON.stringify(input.body));
    const type = input.content === undefined ? 'application/json' : 'application/octet-stream';
    const content: Record<string, string> = body === null ? {} : { 'content-type': type };
    return {
      method,
      url: root + buildPath(path, input.params, input.query),
      headers: headers(method, { ...content, ...extra }),
      body,
      signal: input.signal ?? null,
      idleMs: input.idleMs === undefined ? (method === 'GET' ? GET_IDLE_MS : OTHER_IDLE_MS) : input.idleMs,
    };
  };

  return {
    base: options.base,

    async call(name, input) {
      const response = await send(prepare(name, input));
      return readJson(await response.text(), options);
    },

    async start(name, input, patience) {
      // The key is in the request: whether the first one arrived or not, the work is done once.
      const request = prepare(name, input);
      const givenUpAt = Date.now() + (patience?.timeoutMs ?? 0);
      let mayHaveArrived = false;
      for (let pause = 250; ; pause = Math.min(pause * 2, 2000)) {
        try {
          const response = await send(request);
          const text = await response.text();
          if (pause > 250) patience?.onContactLost?.(false);
          return readJson(text, options);
        } catch (error) {
          const wasSent = isFluxError(error, 'lost_contact');
          const mayPass = wasSent || isFluxError(error, 'unreachable') || isFluxError(error, 'stopping');
          if (!mayPass || patience === undefined || Date.now() + pause > givenUpAt || request.signal?.aborted === true)
            throw mayHaveArrived && isFluxError(error, 'unreachable') ? unknownStart(options.base, error) : error;
          mayHaveArrived ||= wasSent;
          patience.onContactLost?.(true);
          await patience.delay(pause);
        }
      }
    },

    async *events(operationId, afterSeq, signal) {
      const resume: Record<string, string> = afterSeq === null ? {} : { 'last-event-id': String(afterSeq) };
      const response = await send({
        ...prepare('watchOperation', { params: { id: operationId }, signal }),
        headers: headers('GET', { accept: 'text/event-stream', ...resume }),
      });
      for await (const event of parseEventStream(response.textChunks())) {
        if (event.event === 'progress' || event.event === 'state') yield readJson<OperationEvent>(event.data, options);
      }
    },

    download(hash, id, { from, ifRange, signal }) {
      const range: Record<string, string> = from === 0 || ifRange === null ? {} : { range: `bytes=${from}-`, 'if-range': ifRange };
      const accept = 'application/octet-stream, application/problem+json';
      return send({ ...prepare('downloadBackup', { params: { hash, id }, signal }), headers: headers('GET', { accept, ...range }) }, 416);
    },
  };
}

function unknownStart(base: string, cause: unknown): FluxError {
  return new FluxError('lost_contact', `Contact with ${base} was lost; what was asked for may have begun there.`, { cause });
}

function readJson<T>(text: string, { base, reviver }: Pick<ClientOptions, 'base' | 'reviver'>): T {
  try {
    return JSON.parse(text, reviver) as T;
  } catch (cause) {
    throw new FluxError('internal', `${base} sent an answer that is not JSON.`, {
      hint: 'Check the address: FLUX_API_BASE, or `flux login --api-base <url>`.',
      cause,
    });
  }
}
