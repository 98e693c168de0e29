import { describe, expect, it } from 'vitest';
import { parsePostgresUri } from './uri.ts';

describe('parsePostgresUri', () => {
  it.each([
    ['postgres://u:p@h:6/d', { host: 'h', port: 6, user: 'u', password: 'p', database: 'd', sslMode: undefined }],
    ['postgresql://u@h', { host: 'h', port: 5432, user: 'u', password: undefined, database: 'u', sslMode: undefined }],
    [
      'postgresql://a%40b:%2F%25%3A@[::1]:7/d%20e?sslmode=verify-full&sslrootcert=/ca.pem&application_name=x',
      { host: '::1', port: 7, user: 'a@b', password: '/%:', database: 'd e', sslMode: 'verify-full', sslRootCert: '/ca.pem' },
    ],
    [
      'postgresql:///d?host=/run/postgresql&user=u&sslmode=allow',
      { host: '/run/postgresql', port: 5432, user: 'u', password: undefined, database: 'd', sslMode: 'allow' },
    ],
    [
      'postgresql://u@h/d?sslrootcert=system',
      { host: 'h', port: 5432, user: 'u', password: undefined, database: 'd', sslMode: 'verify-full', sslRootCert: 'system' },
    ],
    [
      'postgresql://u:p@ep-x.neon.tech/d?sslmode=require&channel_binding=require&options=endpoint%3Dep-x',
      {
        ...{ host: 'ep-x.neon.tech', port: 5432, user: 'u', password: 'p', database: 'd', sslMode: 'require' },
        ...{ channelBinding: 'require', options: 'endpoint=ep-x' },
      },
    ],
    [
      'postgresql://u:p%23@a:1,b,[::1]:3/d?target_session_attrs=read-write&connect_timeout=1&keepalives_idle=3&gssencmode=disable&ssl=true',
      {
        ...{ host: 'a', port: 1, user: 'u', password: 'p#', database: 'd', sslMode: 'require', connectTimeoutMs: 2000 },
        sessionAttributes: 'read-write',
        otherHosts: [
          { host: 'b', port: 5432 },
          { host: '::1', port: 3 },
        ],
      },
    ],
    [
      "host=h port = 6 user=u password='it\\'s # \\\\' dbname=d sslmode=disable",
      { host: 'h', port: 6, user: 'u', password: "it's # \\", database: 'd', sslMode: 'disable' },
    ],
    ['postgresql://u:a#b@c@h/d', { host: 'h', port: 5432, user: 'u', password: 'a#b@c', database: 'd', sslMode: undefined }],
    ['postgresql://u@%2Ftmp/d', { host: '/tmp', port: 5432, user: 'u', password: undefined, database: 'd', sslMode: undefined }],
  ])('reads %s', (uri, expected) => {
    expect(parsePostgresUri(uri)).toEqual(expected);
  });

  it.each([
    ['mysql://u:secret@h/d', 'form'],
    ['nonsense secret', 'form'],
    ['postgresql://h/d', 'user'],
    ['postgresql:///d?user=u', 'host'],
    ['postgresql://u:secret@h:70000/d', 'port'],
    ['postgresql://u:1?secret@h/d', 'form'],
    ['postgresql://u:1?secret=2@h/d', 'form'],
    ['postgresql://u:secret@h:port/d', 'form'],
    ['postgresql://u:secret@h/d?port=0', 'port'],
    ['postgresql://u:secret@h/d?sslmode=yes', 'sslmode'],
    ['postgresql://u:secret@h/d?sslcert=x', 'client certificates'],
    ['postgresql://u:secret@h/d?pgbouncer=true', 'pooler'],
    ['postgresql://u:secret@h/d?schema=public', '--schema'],
    ['postgresql://u:secret@h/d?nonsense=secret', '"nonsense"'],
    ['postgresql://u:secret@h/d?channel_binding=always', 'channel_binding'],
    ['postgresql://u:secret@h/d?channel_binding=require&sslmode=disable', 'TLS'],
    ['postgresql://u:secret@h/d?target_session_attrs=master', 'target_session_attrs'],
    ['postgresql://u:secret@h/d?gssencmode=require', 'gssencmode'],
    ['postgresql://u:secret@a:1,b:2/d?port=1,2,3', 'number of ports'],
    [`postgresql://u:secret@${Array(9).fill('h').join(',')}/d`, 'names 9 hosts'],
    ['postgresql://u:secret@h/d?connect_timeout=soon', 'connect_timeout'],
    ["host=h password='secret", 'form'],
    ['user=u password=secret', 'host'],
    ['postgresql://u:secret@h/d?sslmode=verify-ca', 'sslrootcert'],
    ['postgresql://u:secret@h/d?sslmode=require&sslrootcert=system', 'verify-full'],
    ['postgresql://u:secret@h/d?sslrootcert=ca.pem', 'absolute'],
    ['postgresql://u:%zz@h/d', '%'],
  ])('refuses %s without repeating it', (uri, word) => {
    expect(() => parsePostgresUri(uri)).toThrow(word);
    expect(() => parsePostgresUri(uri)).not.toThrow(/secret/);
  });
});
