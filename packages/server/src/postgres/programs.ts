import type { Account } from '../system/process.ts';
import { chooseCompression, type DumpCompression } from './dump.ts';
import type { PostgresToolbox, PostgresTools } from './target.ts';

/** The client programs of Postgres as work of ours starts them. */
export interface PostgresPrograms {
  readonly toolbox: PostgresToolbox;
  /** Whom they run as; absent when they run as we do. */
  readonly account: Account | undefined;
  /** A folder of ours that the account can walk through, for files that live as long as one restore. */
  readonly scratchFolder: string;
  /** How a pg_dump compresses; found out once for each. */
  compressionOf(tools: PostgresTools): Promise<DumpCompression>;
}

/** Remembers what each pg_dump can do. */
export function openPostgresPrograms(toolbox: PostgresToolbox, account: Account | undefined, scratchFolder: string): PostgresPrograms {
  const known = new Map<string, Promise<DumpCompression>>();
  return {
    toolbox,
    account,
    scratchFolder,
    compressionOf: (tools) => {
      const found = known.get(tools.binFolder) ?? chooseCompression(tools, account);
      known.set(tools.binFolder, found);
      found.catch(() => known.delete(tools.binFolder));
      return found;
    },
  };
}
