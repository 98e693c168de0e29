import { FluxError } from '@flux/contract/errors';
import type { InstanceId, InstanceRuntime } from '../../instances/instance.ts';
import type { StandingSupport, Standings } from '../standing.ts';
import { instanceIdOf } from './names.ts';

/** The standings of dedicated projects: a file in the folder of each instance. */
export function dedicatedStanding(runtime: InstanceRuntime, standings: Standings): StandingSupport {
  // One file that cannot be read hides no other, and its server is not removed.
  const read = async (id: InstanceId) => {
    try {
      const found = standings.read(await runtime.readStanding(id));
      // The folder is a copy, or its file is: what another instance says of itself is not true of this one.
      if (typeof found === 'object' && instanceIdOf(found.project) !== id)
        return { found: 'unreadable' as const, problem: `it is that of ${instanceIdOf(found.project)}` };
      return { found };
    } catch (error) {
      return { found: 'unreadable' as const, problem: (error as Error).message };
    }
  };
  return {
    read: async (project) => (await read(instanceIdOf(project))).found,
    write: async (standing) => {
      const id = instanceIdOf(standing.project);
      try {
        await runtime.writeStanding(id, standings.write(standing));
      } catch (error) {
        throw new FluxError(
          'volume_unusable',
          `What Postgres instance ${id} is cannot be written beside its data: ${(error as Error).message}`,
          {
            hint: `Look at the file standing in the folder instances/${id} of the data folder; when it is out of the way, run the command again.`,
            cause: error,
          },
        );
      }
    },
    async list() {
      const instances = await runtime.list();
      const found = await Promise.all(instances.map(async ({ id }) => ({ place: `Postgres instance ${id}`, ...(await read(id)) })));
      return found.flatMap(({ found: standing, ...rest }) => (standing === 'absent' ? [] : [{ ...rest, found: standing }]));
    },
  };
}
