import { setTimeout as delay } from 'node:timers/promises';
import { type PostgresSession, sqlStateOf } from '../../postgres/connect.ts';

/**
 * Two processes made the same thing, or changed the same row of a catalog, at once: unique_violation, duplicate database,
 * object, schema, table, "tuple concurrently updated", and a template database in use.
 */
const RACES = new Set(['23505', '42P04', '42710', '42P06', '42P07', 'XX000', '55006']);

/**
 * Runs work in a transaction of its own, one after the other with everybody else who comes through here: privileges of the
 * database and of the schema `flux` are one catalog row each, which cannot be changed twice at once. The lock is on a table
 * that no tenant may lock; an advisory lock they could take.
 */
export async function inTurn(session: PostgresSession, work: () => Promise<void>): Promise<void> {
  await session.run(`BEGIN; SET LOCAL lock_timeout = '60s'; LOCK TABLE flux.turn IN EXCLUSIVE MODE`);
  await work();
  await session.run('COMMIT');
}

/** Tries again what lost a race before there was a table to lock: what it wanted to make is there the next time. */
export async function againAfterRace(work: () => Promise<void>, attempts = 6): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!RACES.has(sqlStateOf(error) ?? '') || attempts <= 1) throw error;
    await delay(20 + Math.random() * 100);
    await againAfterRace(work, attempts - 1);
  }
}
