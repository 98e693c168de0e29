import type { Account } from '../system/process.ts';
import { chooseCompression, type DumpCompression } from './dump.ts';
import type { PostgresToolbox, PostgresTools } from './target.ts';

/** The client programs of Postgres, and how to run them. */
export interface PostgresPrograms {
  readonly toolbox: PostgresToolbox;
  /** The account that they run as; absent for the current one. */
  readonly account: Account | undefined;
  /** Memory that one of them may have, in bytes: what a hostile server sends costs neither the control plane nor the instances theirs. */
  readonly memoryBytes: number;
  /** A folder that the account can traverse, for the files of one restore. */
  readonly scratchFolder: string;
  /** The compression of a pg_dump, determined once for each. */
  compressionOf(tools: PostgresTools): Promise<DumpCompression>;
}

/** Caches what each pg_dump supports. */
export function openPostgresPrograms(
  toolbox: PostgresToolbox,
  { account, memoryBytes, scratchFolder }: Pick<PostgresPrograms, 'account' | 'memoryBytes' | 'scratchFolder'>,
): PostgresPrograms {
  const known = new Map<string, Promise<DumpCompression>>();
  return {
    toolbox,
    account,
    memoryBytes,
    scratchFolder,
    compressionOf: (tools) => {
      const found = known.get(tools.binFolder) ?? chooseCompression(tools, account);
      known.set(tools.binFolder, found);
      found.catch(() => known.delete(tools.binFolder));
      return found;
    },
  };
}
