import { readdirSync, readFileSync } from 'node:fs';
import type { Flux, TestProject } from '../../harness/flux.ts';

/**
 * Rounds of work before the first look, and between the two. The heap of a fresh process grows in steps up to the fortieth, and hardly
 * after that.
 */
export const ROUNDS = 50;

/** What one process has. */
interface Held {
  readonly descriptors: number;
  readonly memoryMb: number;
}

/** By how much the server that runs now grows over rounds of work, after as many that warm it up. */
export async function growthOf(flux: Flux, projects: readonly TestProject[]): Promise<Held> {
  const pid = flux.pid();
  const look = (): Held => ({
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    memoryMb: Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024),
  });
  const work = async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const project = projects[round % projects.length] as TestProject;
      await flux.push(project, 'select 1');
      const made = await flux.flux('backup', 'create', ...project.flags, '--verify');
      if (made.exitCode !== 0) throw new Error(`after the storm, a backup of ${project.slug} ended with ${made.exitCode}: ${made.stderr}`);
    }
  };
  await work();
  const before = look();
  await work();
  const after = look();
  if (flux.pid() !== pid) throw new Error('the server is another one than before');
  return { descriptors: after.descriptors - before.descriptors, memoryMb: after.memoryMb - before.memoryMb };
}
