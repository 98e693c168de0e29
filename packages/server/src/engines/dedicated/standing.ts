import type { InstanceRuntime } from '../../instances/instance.ts';
import type { StandingSupport, Standings } from '../standing.ts';
import { instanceIdOf } from './names.ts';

/** The standings of dedicated projects: a file in the folder of each instance. */
export function dedicatedStanding(runtime: InstanceRuntime, standings: Standings): StandingSupport {
  return {
    read: async (project) => standings.read(await runtime.readStanding(instanceIdOf(project))),
    write: async (standing) => runtime.writeStanding(instanceIdOf(standing.project), standings.write(standing)),
    async list() {
      const instances = await runtime.list();
      const found = await Promise.all(
        instances.map(async ({ id }) => ({ place: `Postgres instance ${id}`, found: standings.read(await runtime.readStanding(id)) })),
      );
      return found.flatMap(({ place, found: standing }) => (standing === 'absent' ? [] : [{ place, found: standing }]));
    },
  };
}
