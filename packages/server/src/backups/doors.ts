import type { RequestDeps } from '../operations/request.ts';
import type { Seal } from '../system/seal.ts';
import type { CreateDeps } from './create.ts';
import type { RelayDeps } from './restore/relay.ts';
import type { VerifyDeps } from './verify/run.ts';

/** Everything that the use cases of backups need, as `compose.ts` makes it; each of them takes its own part. */
export type BackupDoors = RequestDeps & CreateDeps & VerifyDeps & RelayDeps & { readonly seal: Seal };
