import { describe, expect, it } from 'vitest';
import { splitSql } from './split.ts';
import { readWayUp } from './way-up.ts';

const runs = (sql: string) => splitSql(readWayUp(sql).sql).statements.map(({ text }) => text);

describe('the way up of a migration', () => {
  it.each([
    ['dbmate', '-- migrate:up\nUP;\n\n-- migrate:down\nDOWN;\n'],
    ['dbmate', '--migrate:up transaction:false\nUP\n-- migrate:down transaction:false\nDOWN'],
    ['dbmate, other case and blanks', '  -- MIGRATE : UP\r\nUP;\r\n\t--  Migrate: Down\r\nDOWN;\r\n'],
    ['dbmate with a byte order mark', '\uFEFF-- migrate:up\nUP;\n-- migrate:down\nDOWN;'],
    ['dbmate, the way down first', '-- migrate:down\nDOWN;\n-- migrate:up\nUP;'],
    [
      'goose',
      '-- +goose Up\n-- +goose StatementBegin\nUP;\n-- +goose StatementEnd\n\n-- +goose Down\n-- +goose StatementBegin\nDOWN;\n-- +goose StatementEnd\n',
    ],
    ['goose, unspaced', '-- +goose NO TRANSACTION\n--+goose up\nUP;\n--+GOOSE DOWN\nDOWN;'],
    ['sql-migrate', '-- +migrate Up notransaction\nUP;\n-- +migrate Down\nDOWN;'],
    ['micrate', '-- +micrate Up\nUP;\n-- +micrate Down\nDOWN;'],
    ['node-pg-migrate', '-- Up Migration\nUP;\n\n-- Down Migration\nDOWN;'],
    ['node-pg-migrate', '---- up migration\nUP;\n---  DOWN  MIGRATION -----\nDOWN;'],
    ['node-pg-migrate without a marker above', 'UP;\n-- Down Migration\nDOWN;'],
    ['rambler', '-- rambler up\nUP;\n-- rambler down\nDOWN;'],
    ['Play', '-- Users schema\n\n-- !Ups\nUP;\n-- !Downs\nDOWN;'],
    ['Play', '# --- !Ups\nUP;\n# --- !Downs\nDOWN;'],
    ['shmig', '-- ==== UP ====\nUP;\n-- ==== DOWN ====\nDOWN;'],
    ['MyBatis', '-- // first\nUP;\n\n-- //@UNDO\nDOWN;'],
    ['tern', 'UP;\n---- create above / drop below ----\nDOWN;'],
    ['dbmate, with a long remark', `-- migrate:up\nUP;\n-- migrate:down ${'x'.repeat(500)}\nDOWN;`],
    ['several of both', '-- migrate:up\nUP;\n-- migrate:down\nDOWN;\n-- migrate:up\nUP;\n-- migrate:down\nDOWN;'],
  ])('of %s is all that runs', (_tool, sql) => {
    const read = readWayUp(sql);
    expect(read.refusal).toBeUndefined();
    expect(new Set(runs(sql))).toEqual(new Set(['UP']));
    expect(read.sql).not.toContain('DOWN;');
    expect(read.markers.some(({ way }) => way === 'down')).toBe(true);
  });

  it('keeps every offset and every line', () => {
    const sql = "-- migrate:up\r\nselect 1;\r\n-- migrate:down\r\nselect '😀';\r\n-- migrate:up\r\nselect 2;";
    const read = readWayUp(sql);
    expect(read.sql).toHaveLength(sql.length);
    expect(splitSql(read.sql).statements).toEqual([splitSql(sql).statements[0], splitSql(sql).statements[2]]);
  });

  it.each([
    "insert into t values ('\n-- migrate:down\n');\nselect 1;",
    'create function f() returns int language sql as $$\n-- migrate:down\nselect 1 $$;\nselect 1;',
    '/* the tool calls it\n-- migrate:down\n*/\nselect 1;',
    'create table "\n-- +goose Down\n" ();\nselect 1;',
    '-- migrate the download table\nselect 1;\n-- going up\nselect 2;',
    '-- scale down the number of workers\nselect 1;',
    'select 1;\n-- rollback\n-- drop table t;\n',
    '--liquibase formatted sql\n--changeset a:1\nselect 1;\n--rollback drop table t;\nselect 2;',
    'create table t (\n  -- down\n  a int\n);',
    'select 1; --> statement-breakpoint\nselect 2;',
    '-- up\nselect 1;',
  ])('is all of a text without markers: %s', (sql) => {
    expect(readWayUp(sql)).toEqual({ sql, markers: [], refusal: undefined });
  });

  it.each([
    ['-- up\nselect 1;\n-- down\nselect 2;', 3, '`-- down` looks like the beginning of a way down'],
    ['select 1;\n-- @DOWN\nselect 2;', 2, '`-- @DOWN`'],
    ['select 1;\n/* ===== DOWN ===== */\nselect 2;', 2, '`/* ===== DOWN ===== */`'],
    ['select 1;\n/* migrate:down */ select 2;', 2, '`/* migrate:down */`'],
    ['select 1; -- migrate:down\nselect 2;', 1, '`-- migrate:down`'],
    ['select 1;\n-- [Rollback Script]\nselect 2;', 2, '`-- [Rollback Script]`'],
    ['select 1;\n-- Revert changes\nselect 2;', 2, '`-- Revert changes`'],
    [`select 1;\n-- DOWN ${'-'.repeat(500)}\nselect 2;`, 2, 'looks like the beginning of a way down'],
    ['select 1;\n-- mytool_undo:\nselect 2;', 2, '`-- mytool_undo:`'],
    ['-- migration.sql --\nselect 1;\n-- down.sql --\nselect 2;', 3, '`-- down.sql --`'],
    ['select 0;\n-- migrate:up\nselect 1;\n-- migrate:down\nselect 2;', 2, 'statements above `-- migrate:up`'],
    ['-- Down migration is impossible\nselect 1;', 1, 'there is nothing to run'],
    ['-- +goose ENVSUB ON\n-- +goose Up\nselect 1;', 1, 'environment variables'],
  ])('is refused where it is not clear: %s', (sql, line, problem) => {
    expect(readWayUp(sql).refusal).toMatchObject({ line, problem: expect.stringContaining(problem) });
  });

  it('takes time that is linear in the length of the text', () => {
    const started = Date.now();
    readWayUp(`-- migrate:up\n${"select 'x' /* down */ -- y\n".repeat(20_000)}`);
    readWayUp(`down${'(a)'.repeat(100_000)}`);
    expect(Date.now() - started).toBeLessThan(5000);
  });
});
