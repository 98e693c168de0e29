import { existsSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { postmasterPid } from '../../../../acceptance/harness/postmaster.ts';
import { createLocalRuntime } from '../../src/instances/local/runtime.ts';
import { systemClock } from '../../src/system/clock.ts';
import { createLog } from '../../src/system/log.ts';
import { describeInstanceRuntime } from '../conformance/instance-runtime.ts';
import { prepareLocalPlace } from './local-place.ts';

describeInstanceRuntime('the local runtime', async () => {
  const place = await prepareLocalPlace();
  return {
    major: place.major,
    make: () => createLocalRuntime({ ...place, log: createLog('silent'), clock: systemClock }),
    kill: async (_runtime, spec) => {
      process.kill(postmasterPid(join(place.dataFolder, 'instances', spec.id, 'data')), 'SIGKILL');
    },
    traces: async (id) => {
      const all = await Promise.all([join(place.dataFolder, 'instances'), place.runFolder].map((folder) => readdir(folder)));
      return all.flat().filter((entry) => entry === id);
    },
    trashed: async () => {
      const trash = join(place.dataFolder, 'trash');
      const names = await readdir(trash).catch(() => []);
      return names.filter((name) => existsSync(join(trash, name, 'data', 'PG_VERSION')));
    },
    release: async () => {
      await place.release();
      await stat(place.dataFolder).then(
        () => Promise.reject(new Error('left over')),
        () => undefined,
      );
    },
  };
});
