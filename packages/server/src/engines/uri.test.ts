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
    ['postgresql://u@%2Ftmp/d', { host: '/tmp', port: 5432, user: 'u', password: undefined, database: 'd', sslMode: undefined }],
  ])('reads %s', (uri, expected) => {
    expect(parsePostgresUri(uri)).toEqual(expected);
  });

  it.each([
    ['mysql://u:secret@h/d', 'form'],
    ['nonsense secret', 'form'],
    ['postgresql://h/d', 'user'],
    ['postgresql:///d?user=u', 'host'],
    ['postgresql://u:secret@a,b/d', 'several'],
    ['postgresql://u:secret@h:70000/d', 'form'],
    ['postgresql://u:secret@h/d?port=0', 'port'],
    ['postgresql://u:secret@h/d?sslmode=yes', 'sslmode'],
    ['postgresql://u:secret@h/d?sslcert=x', 'sslcert'],
    ['postgresql://u:secret@h/d?sslmode=verify-ca', 'sslrootcert'],
    ['postgresql://u:secret@h/d?sslmode=require&sslrootcert=system', 'verify-full'],
    ['postgresql://u:secret@h/d?sslrootcert=ca.pem', 'absolute'],
    ['postgresql://u:%zz@h/d', '%'],
  ])('refuses %s without repeating it', (uri, word) => {
    expect(() => parsePostgresUri(uri)).toThrow(word);
    expect(() => parsePostgresUri(uri)).not.toThrow(/secret/);
  });
});
