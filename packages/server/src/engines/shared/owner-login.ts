import { setTimeout as delay } from 'node:timers/promises';
import { FluxError, isFluxError } from '@flux/contract/errors';
import { type ConnectOptions, connectPostgres, type PostgresSession, sqlStateOf } from '../../postgres/connect.ts';
import { LOCK_NOT_AVAILABLE } from '../../postgres/lock-watch.ts';
import { LEFT_OPEN, openLogin, prolongLogin, shutLogin } from '../../postgres/roles.ts';
import type { PostgresTarget } from '../../postgres/target.ts';
import type { Log } from '../../system/log.ts';

/**
 * The role that owns a tenant's schema may log in only while Flux does. SQL that is pushed runs as that role and can change its password,
 * and nobody can forbid that: so whoever knows it finds the role shut.
 */
export interface OwnerLogin {
  /**
   * Opens a session as the owner; afterwards nobody else can.
   *
   * @throws FluxError `busy` while another session changes the role, `instance_unavailable`
   */
  open(owner: PostgresTarget, options?: ConnectOptions): Promise<PostgresSession>;
  /** Lets programs log in as the owner while work runs, also while other servers begin with the same pool. Whoever else has logged in meanwhile is disconnected at its end. */
  during<T>(owner: PostgresTarget, work: () => Promise<T>): Promise<T>;
}

/** So many are let in at once: each of them needs two sessions, and could wait for the second while all are taken by others that wait likewise. */
const AT_ONCE = 4;
/** A tenant's own transaction may have changed the role and not ended. Nobody else may wait for it for long. */
const LOCK_TIMEOUT = '500ms';
const ATTEMPTS = 5;
/** Several times within the minutes that a login is valid for, so that one that fails is made up for. */
const PROLONG_EVERY_MS = 60_000;
/** "tuple concurrently updated": two changes of a role at once, of which the second is refused. */
const CONCURRENT_CHANGE = 'XX000';
/** Source: the manual, appendix A, `undefined_object`. */
const NO_SUCH_ROLE = '42704';
/** The role has no LOGIN, or its password is not valid any more. Source: the manual, appendix A, class 28. */
const NOT_PERMITTED = ['28000', '28P01'];

/** @param admin how the superuser connects */
export function createOwnerLogin(admin: () => PostgresTarget, log: Log, prolongEveryMs = PROLONG_EVERY_MS): OwnerLogin {
  const inUse = new Map<string, number>();
  const ours = new Set<number>();
  const inTurn = createTurns();
  const asAdmin = async <T>(work: (session: PostgresSession) => Promise<T>): Promise<T> => {
    await using session = await connectPostgres(admin(), { settings: { lock_timeout: LOCK_TIMEOUT } });
    return await work(session);
  };
  const letIn = (session: PostgresSession, { user, password = '' }: PostgresTarget) =>
    changeRole(user, () => openLogin(session, user, password));
  const shut = async (session: PostgresSession, role: string) => {
    if (inUse.has(role)) return;
    await changeRole(role, () => shutLogin(session, role)).catch((error) =>
      log.error({ err: error, role }, 'the owner of a schema can log in until its next push'),
    );
  };
  const prolong = async (role: string, ended: AbortSignal) => {
    while (!ended.aborted) {
      await delay(prolongEveryMs, undefined, { signal: ended }).catch(() => undefined);
      await inTurn(role, async () => {
        if (!ended.aborted) await asAdmin((session) => changeRole(role, () => prolongLogin(session, role)));
      }).catch((error) => log.warn({ err: error, role }, 'the login of the owner of a schema was not prolonged yet'));
    }
  };

  return {
    open: (owner, options = {}) =>
      inTurn(
        owner.user,
        () =>
          asAdmin(async (session) => {
            options.signal?.throwIfAborted();
            await letIn(session, owner);
            try {
              const opened = await connectPostgres(owner, options).catch(async (error) => {
                if (!isFluxError(error, 'instance_unavailable') || !NOT_PERMITTED.includes(String(error.details.sqlState))) throw error;
                // Another server, or the start of this one, has shut it in between.
                await letIn(session, owner);
                return await connectPostgres(owner, options);
              });
              ours.add(opened.backendPid);
              opened.onEnd(() => ours.delete(opened.backendPid));
              return opened;
            } finally {
              await shut(session, owner.user);
            }
          }),
        options.signal,
      ),
    async during(owner, work) {
      const role = owner.user;
      await inTurn(role, () =>
        asAdmin(async (session) => {
          await letIn(session, owner);
          inUse.set(role, (inUse.get(role) ?? 0) + 1);
        }),
      );
      const ended = new AbortController();
      const prolonging = prolong(role, ended.signal);
      try {
        return await work();
      } finally {
        ended.abort();
        await prolonging;
        await inTurn(role, async () => {
          const left = (inUse.get(role) ?? 1) - 1;
          if (left > 0) {
            inUse.set(role, left);
            return;
          }
          inUse.delete(role);
          await asAdmin(async (session) => {
            // Before: one of them may have changed the role in a transaction; after: one may have come in between.
            await endOthers(session, role, ours);
            await shut(session, role);
            await endOthers(session, role, ours);
          });
        });
      }
    },
  };
}

/** Repeats a change of a role that another one has overtaken. A role that is gone is not let in: the login tells what is wrong then. */
async function changeRole(role: string, change: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await change();
    } catch (error) {
      const state = sqlStateOf(error);
      if (state === NO_SUCH_ROLE) return;
      if (state === LOCK_NOT_AVAILABLE)
        throw new FluxError('busy', `Another session is changing the role ${role} and has not committed that.`, {
          hint: 'Run the command again when the push that runs now has ended.',
          cause: error,
        });
      if (state !== CONCURRENT_CHANGE || attempt >= ATTEMPTS) throw error;
      await delay(5 * attempt);
    }
  }
}

async function endOthers(session: PostgresSession, role: string, ours: ReadonlySet<number>): Promise<void> {
  await session.query(
    'select pg_catalog.pg_terminate_backend(pid, 1000) from pg_catalog.pg_stat_activity where usename = $1 and pid <> all($2)',
    [role, [...ours]],
  );
}

/** Waits in line until called; who gives up leaves it. */
function inLine(waiting: (() => void)[], signal?: AbortSignal): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    const leave = () => {
      waiting.splice(waiting.indexOf(called), 1);
      reject(signal?.reason);
    };
    const called = () => {
      signal?.removeEventListener('abort', leave);
      resolve();
    };
    waiting.push(called);
    signal?.addEventListener('abort', leave, { once: true });
  });
}

/** Work for one role happens one after the other, and for only some roles at once. */
function createTurns(): <T>(role: string, work: () => Promise<T>, signal?: AbortSignal) => Promise<T> {
  const turns = new Map<string, Promise<unknown>>();
  const waiting: (() => void)[] = [];
  let free = AT_ONCE;
  const withPlace = async <T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> => {
    signal?.throwIfAborted();
    if (free > 0) free -= 1;
    else await inLine(waiting, signal);
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) free += 1;
      else next();
    }
  };
  return async (role, work, signal) => {
    const mine = (turns.get(role) ?? Promise.resolve()).then(() => withPlace(work, signal));
    const done = mine.catch(() => undefined);
    turns.set(role, done);
    try {
      return await mine;
    } finally {
      if (turns.get(role) === done) turns.delete(role);
    }
  };
}

/**
 * Takes LOGIN from the owners of all tenants, for what an earlier release or a killed server has left. One that another server has let in
 * a moment ago is left as it is: a restore is connecting as it again and again. When that server is dead, its time ends by itself.
 *
 * @param session a superuser's
 */
export async function shutOwners(session: PostgresSession): Promise<void> {
  const open = await session.query<{ name: string }>(
    `select rolname::text as name from pg_catalog.pg_roles where rolname ~ '^t_[0-9a-f]{12}_ddl$' and ${LEFT_OPEN}`,
  );
  for (const { name } of open) await unlessLocked(() => shutLogin(session, name));
}

/** A role that a transaction is changing is left as it is: its next push does the same. */
export async function unlessLocked(change: () => Promise<void>): Promise<void> {
  try {
    await change();
  } catch (error) {
    if (![LOCK_NOT_AVAILABLE, CONCURRENT_CHANGE].includes(sqlStateOf(error) ?? '')) throw error;
  }
}
