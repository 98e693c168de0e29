import { readProcess } from '../../system/process-table.ts';
import { type ContainerKind, type DockerEngine, filterOf, LABELS, unlessMissing } from './engine.ts';

/**
 * Removes containers and volumes whose creator is dead. Returns the names of the volumes that stay.
 */
export async function sweepContainers(engine: DockerEngine, kind: Exclude<ContainerKind, 'instance'>): Promise<ReadonlySet<string>> {
  const filters = filterOf(engine, kind);
  for (const { Id, Labels } of await engine.client.listContainers({ all: true, filters }))
    if (!(await hasLivingMaker(Labels))) await unlessMissing(engine.client.getContainer(Id).remove({ force: true, v: true }));
  const kept = new Set<string>();
  for (const { Name, Labels } of (await engine.client.listVolumes({ filters })).Volumes ?? []) {
    if (await hasLivingMaker(Labels)) kept.add(Name);
    else await unlessMissing(engine.client.getVolume(Name).remove({ force: true }));
  }
  return kept;
}

async function hasLivingMaker(labels: Readonly<Record<string, string>> | null): Promise<boolean> {
  const [pid = '', startTicks = ''] = (labels?.[LABELS.maker] ?? '').split(' ');
  return startTicks !== '' && (await readProcess(Number(pid)))?.startTicks === startTicks;
}
