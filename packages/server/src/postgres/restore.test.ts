import { describe, expect, it } from 'vitest';
import { interpretRestore, onlyViewsFailed, restoreArguments } from './restore.ts';

const ended = (exitCode: number | null, stderr = '', signal: NodeJS.Signals | null = null) =>
  interpretRestore({ command: 'pg_restore', exitCode, signal, stdout: '', stderr });

describe('the end of a pg_restore', () => {
  it('is a success only with status 0', () => {
    expect(ended(0, 'pg_restore: warning: something\n')).toEqual({ kind: 'success', warnings: ['pg_restore: warning: something'] });
  });

  it('is a failure with the first error that pg_restore names', () => {
    expect(
      ended(1, 'pg_restore: while PROCESSING TOC:\npg_restore: error: could not execute query: ERROR:  type "x" does not exist\n'),
    ).toMatchObject({
      kind: 'failed',
      message: 'pg_restore ended with status 1: pg_restore: error: could not execute query: ERROR:  type "x" does not exist',
    });
  });

  it('is told without what would steer a terminal, whoever wrote it', () => {
    const outcome = ended(1, 'pg_restore: error: \u001b[2Jall\u009b is \u202ewell\n\u001b]0;title\u0007\ttabbed\n');
    expect(outcome).toMatchObject({
      message: 'pg_restore ended with status 1: pg_restore: error: \\u001b[2Jall\\u009b is \\u202ewell',
      output: expect.stringMatching(/^[\x20-\x7e\n]+$/),
    });
  });

  it.each([
    [null, '', 'SIGKILL' as const],
    [137, '', null],
    [127, 'bwrap: execvp: No such file', null],
    [1, 'unshare: sigprocmask unblock failed: Invalid argument', null],
    [1, 'bwrap: Creating new namespace failed: Resource temporarily unavailable', null],
    [1, 'pg_restore: error: connection to server on socket "/x" failed: No such file or directory', null],
    [1, 'pg_restore: error: could not execute query: server closed the connection unexpectedly', null],
    [1, 'pg_restore: error: COPY failed: ERROR:  could not extend file "base/5/1": No space left on device', null],
  ])('proves nothing when something outside ended it: status %s, %s', (status, stderr, signal) => {
    expect(ended(status, stderr, signal).kind).toBe('unknown');
  });
});

describe('a pg_restore that went on after errors', () => {
  const of = (kind: string) =>
    `pg_restore: error: could not execute query: ERROR:  could not connect\nDETAIL:  refused\nCommand was: ${kind} public.far;\n\n\n`;
  const only = (stderr: string, exitCode: number | null = 1) =>
    onlyViewsFailed({ command: 'pg_restore', exitCode, signal: null, stdout: '', stderr });

  it('failed in nothing but views when each error belongs to the data of one', () => {
    expect(
      only(`${of('REFRESH MATERIALIZED VIEW')}${of('REFRESH MATERIALIZED VIEW')}pg_restore: warning: errors ignored on restore: 2\n`),
    ).toBe(true);
    expect(only(of('REFRESH MATERIALIZED VIEW') + of('CREATE VIEW'))).toBe(false);
    expect(only(`${of('REFRESH MATERIALIZED VIEW')}pg_restore: error: connection to server failed\n`)).toBe(false);
    expect(only(of('REFRESH MATERIALIZED VIEW'), null)).toBe(false);
    expect(only('')).toBe(false);
  });
});

describe('the options of pg_restore', () => {
  it('restore owners and grants of a whole database, and look for none in a tenant export', () => {
    expect(restoreArguments({ kind: 'project_db', jobs: 2 })).toEqual(['--exit-on-error', '--no-password', '--no-tablespaces', '--jobs=2']);
    expect(restoreArguments({ kind: 'tenant_export', jobs: 1 })).toEqual([
      '--exit-on-error',
      '--no-password',
      '--no-tablespaces',
      '--no-owner',
      '--no-acl',
    ]);
  });
});
