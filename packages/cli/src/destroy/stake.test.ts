import type { Changes, GateAnswer } from '@flux/contract/gate';
import { describe, expect, it } from 'vitest';
import { describeStake } from './stake.ts';

const now = new Date('2026-06-22T17:18:33.697Z');
const none = { rowsInserted: 0, rowsUpdated: 0, rowsDeleted: 0, tablesCreated: 0, tablesDropped: 0, tablesRewritten: 0 };
const reply = (changes: Changes, newest = 'a'): GateAnswer => ({
  action: 'nuke',
  decision: 'cleared',
  tier: 'restorable',
  label: 'Restorable',
  guidance: '',
  detail: '',
  command: null,
  backupId: newest,
  proof: { backupId: 'a', takenAt: '2026-06-20T17:18:33.697Z', verifiedAt: '2026-06-22T14:18:33.000Z', changes },
  askedAt: now.toISOString(),
});

describe('describeStake', () => {
  it('gives the age of the data and of the proof', () => {
    const [line] = describeStake(reply({ known: true, ...none }), now);
    expect(line).toBe(
      'Proven backup: a of 1781975913697 · 2026-06-20T17:18:33.697Z · Jun 20, 2026, 5:18 PM UTC · 2 days ago; restored and compared 3 hours ago',
    );
    expect(describeStake(reply({ known: true, ...none }, 'b'), now)[0]).toMatch(/; it is not the newest backup$/);
  });

  it.each<[Changes, string]>([
    [{ known: true, ...none }, 'nothing that Postgres has counted'],
    [{ known: true, ...none, rowsInserted: 1234 }, 'about 1,234 rows inserted, 0 updated, 0 deleted (as Postgres counts)'],
    [
      { known: true, ...none, rowsDeleted: 1, tablesCreated: 1, tablesDropped: 2, tablesRewritten: 1 },
      'about 0 rows inserted, 0 updated, 1 deleted; 1 table created; 2 tables dropped; 1 table emptied or rewritten (as Postgres counts)',
    ],
    [{ known: false, why: 'somebody has reset the statistics' }, 'unknown, because somebody has reset the statistics'],
  ])('says what has changed: %o', (changes, words) => {
    expect(describeStake(reply(changes), now)[1]).toBe(`Changed since: ${words}`);
  });

  it('says when nothing is proven, or nothing could be found out', () => {
    expect(describeStake({ ...reply({ known: true, ...none }), proof: null }, now)).toEqual([
      'Proven backup: none. There is no certain way to restore this.',
    ]);
    expect(describeStake({ unknown: 'no answer' }, now)).toEqual(['The age of the proof is unknown: no answer']);
  });
});
