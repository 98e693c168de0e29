import { FluxError } from '@flux/contract/errors';
import type { PostgresSession } from '../../postgres/connect.ts';
import type { DisposableRequest } from '../disposable.ts';
import { RESTORE_DATABASE } from '../names.ts';
import type { DisposableSetting } from './disposable-server.ts';

/** Makes sure that the restore database has the encoding and locale that are asked for. Answers the server's version. */
export async function prepareDatabase(session: PostgresSession, setting: DisposableSetting, request: DisposableRequest): Promise<string> {
  const isLikeTemplate = (locale: string) => sameLocale(locale, setting.template.locale);
  if (request.encoding.toUpperCase() !== 'UTF8' || !isLikeTemplate(request.collate) || !isLikeTemplate(request.ctype)) {
    const literal = (text: string) => `'${text.replaceAll("'", "''")}'`;
    await session.run(`drop database ${RESTORE_DATABASE}`);
    await session
      .run(
        `create database ${RESTORE_DATABASE} template template0 encoding ${literal(request.encoding)} lc_collate ${literal(request.collate)} lc_ctype ${literal(request.ctype)}`,
      )
      .catch((error: Error) => {
        throw new FluxError(
          'verification_inconclusive',
          `This host cannot make a database with encoding ${request.encoding} and locale ${request.collate}: ${error.message}`,
          {
            hint: `Install the locale, for example with \`localedef -i en_US -f UTF-8 en_US.UTF-8\`, then verify again.`,
            cause: error,
          },
        );
      });
  }
  const [row] = await session.query<{ version: string }>(`select current_setting('server_version') as version`);
  return row?.version.split(' ')[0] ?? setting.tools.version;
}

/** `C.UTF-8` and `C.utf8` are the same locale under two names. */
function sameLocale(a: string, b: string): boolean {
  const plain = (name: string) => name.toLowerCase().replaceAll('-', '');
  return plain(a) === plain(b);
}
