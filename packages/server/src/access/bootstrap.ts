import { readFile } from 'node:fs/promises';
import type { TokenId, UserId } from '@flux/contract/ids';
import type { Catalog } from '../catalog/open.ts';
import { countTokens, ensureUser, findTokenByDigest, insertToken } from '../catalog/tokens.ts';
import { writeFileAtomically } from '../system/atomic-file.ts';
import type { Clock } from '../system/clock.ts';
import { uuidv7 } from '../system/uuid.ts';
import { digestToken, generateToken } from './tokens.ts';

const FIRST_USER = 'admin';

/**
 * On the first start creates the first token and writes it to a file (0600). The file is written first: a token in the catalog that
 * nobody can read would lock everybody out.
 *
 * @returns true when a token was created
 */
export async function ensureFirstToken(catalog: Catalog, clock: Clock, path: string): Promise<boolean> {
  if ((await countTokens(catalog.db)) > 0) return false;
  const now = clock.now();
  const token = (await readToken(path)) ?? generateToken();
  await writeFileAtomically(path, `${token}\n`);
  return catalog.db.transaction().execute(async (db) => {
    const userId = await ensureUser(db, uuidv7(now) as UserId, FIRST_USER);
    // A start that was killed between the two steps, or a second server starting now, left the same token.
    if ((await findTokenByDigest(db, digestToken(token))) !== undefined) return false;
    await insertToken(
      db,
      {
        id: uuidv7(now) as TokenId,
        user_id: userId,
        name: 'first admin token',
        sha256: digestToken(token),
        access: 'admin',
        all_projects: true,
        created_at: now,
      },
      [],
    );
    return true;
  });
}

async function readToken(path: string): Promise<string | undefined> {
  const text = await readFile(path, 'utf8').catch(() => undefined);
  return text?.trim() || undefined;
}
