import { existsSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { openDockerEngine } from '../../packages/server/src/instances/docker/engine.ts';
import { createDockerRuntime } from '../../packages/server/src/instances/docker/runtime.ts';
import { systemClock } from '../../packages/server/src/system/clock.ts';
import { createLog } from '../../packages/server/src/system/log.ts';
import { describeInstanceRuntime } from '../../packages/server/test/conformance/instance-runtime.ts';
import { docker, dockerLines, ENGINE, ours, temporaryFolder } from './engine.ts';

describeInstanceRuntime('the docker runtime', async () => {
  const folder = temporaryFolder();
  const dataFolder = join(folder.path, 'data');
  const runFolder = join(folder.path, 'run');
  const engine = openDockerEngine({ socketPath: ENGINE.socketPath, dataFolder });
  return {
    major: ENGINE.majors[0] as number,
    make: () => createDockerRuntime({ engine, image: ENGINE.image, dataFolder, runFolder, log: createLog('silent'), clock: systemClock }),
    kill: async (_runtime, spec) => {
      const { exitCode, stderr } = await docker('kill', `flux-${engine.owner}-${spec.id}`);
      if (exitCode !== 0) throw new Error(stderr);
    },
    traces: async (id) => [
      ...(await ours()).filter((name) => name.endsWith(`-${id}`)),
      ...[join(dataFolder, 'instances', id), join(runFolder, id)].filter((path) => existsSync(path)),
    ],
    trashed: async () => {
      const trash = join(dataFolder, 'trash');
      if (!existsSync(trash)) return [];
      const volumes = readdirSync(trash).map((name) => readFileSync(join(trash, name, 'volume'), 'utf8').trim());
      const folders = await Promise.all(volumes.map((name) => dockerLines('volume', 'inspect', '--format', '{{.Mountpoint}}', name)));
      return folders.flat().filter((path) => existsSync(join(path, 'flux', 'PG_VERSION')));
    },
    loseFolder: (id) => {
      const [there, aside] = [join(dataFolder, 'instances', id), join(dataFolder, `${id}-aside`)];
      renameSync(there, aside);
      return () => renameSync(aside, there);
    },
    release: async () => {
      folder.remove();
      const left = await ours();
      if (left.length > 0) throw new Error(`left over: ${left.join(', ')}`);
    },
  };
});
