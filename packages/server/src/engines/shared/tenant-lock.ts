import { setTimeout as delay } from 'node:timers/promises';
import { type PostgresSession, sqlStateOf } from '../../postgres/connect.ts';

/**
 * Two processes created the same object, or changed the same row of a system catalog, at once: unique_violation, duplicate
 * database, object, schema, table, "tuple concurrently updated", and a template database in use.
 */
const RACES = new Set(['23505', '42P04', '42710', '42P06', '42P07', 'XX000', '55006']);

/** Runs work in a transaction. After a failure the session cannot be used: it has to be closed. */
export async function inTransaction(session: PostgresSession, work: () => Promise<void>): Promise<void> {
  await session.run('BEGIN');
  await work();
  await session.run('COMMIT');
}

/**
 * Waits until no other transaction of ours changes what all tenants share, until the end of this one: privileges of the database and of the
 * schema `flux` are one catalog row each, which cannot be changed twice at once. The lock is on a table that no tenant may lock; they could
 * take an advisory lock.
 *
 * Everybody waits for whoever has it, so it is taken last, and nothing under it waits for a tenant: what does is refused after a second.
 */
export async function takeTurn(session: PostgresSession): Promise<void> {
  await session.run(
    `SET LOCAL lock_timeout = '60s'; LOCK TABLE flux.turn IN EXCLUSIVE MODE; SET LOCAL lock_timeout = '1s'; SET LOCAL statement_timeout = '10s'`,
  );
}

/** Repeats work that lost a race before the lock table existed: on the next attempt the object that it tried to create exists. */
export async function retryAfterRace(work: () => Promise<void>, attempts = 6): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!RACES.has(sqlStateOf(error) ?? '') || attempts <= 1) throw error;
    await delay(20 + Math.random() * 100);
    await retryAfterRace(work, attempts - 1);
  }
}
