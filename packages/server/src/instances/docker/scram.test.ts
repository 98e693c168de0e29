import { expect, it } from 'vitest';
import { scramVerifier } from './scram.ts';

it('derives what a server keeps from the password and the salt of the example in RFC 7677', () => {
  expect(scramVerifier('pencil', Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64'))).toBe(
    'SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=',
  );
});

it('salts each password anew', () => {
  expect(scramVerifier('pencil')).not.toBe(scramVerifier('pencil'));
});
