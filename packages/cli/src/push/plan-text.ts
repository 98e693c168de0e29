import type { ExitCode } from '../command.ts';
import type { CallContext } from '../context.ts';
import { askGate, type GateReply } from '../destroy/gate.ts';
import { formatCounted } from '../output/quantity.ts';
import type { ResolvedProject } from '../project/resolve.ts';
import { describeDanger, describeRecovery, EFFECT_LABELS, type FileDanger, refusesPush } from './dangers.ts';
import type { PlannedFile } from './plan.ts';

const MARKS = { destroys: '!', may_destroy: '~', unseen: '?' } as const;

/** Shows what would run, what of it destroys data, and, if anything does, whether a restore-verified backup could revert it. */
export async function showPlan(
  context: CallContext,
  project: ResolvedProject,
  plan: readonly PlannedFile[],
  dangers: readonly FileDanger[],
): Promise<ExitCode> {
  const gate = dangers.length === 0 ? null : await askGate(context, project, 'push');
  const ran = plan.filter(({ action }) => action === 'run').length;
  const lines = [
    'Flux migrations (plan)',
    ...plan.flatMap((planned) => describeFile(planned, dangers)),
    `Plan: ${ran} to apply, ${plan.length - ran} to skip. Nothing was run.`,
    ...(ran === 0 ? [] : ['', ...summarise(dangers, gate)]),
  ];
  context.output.answer(lines, {
    plan: plan.map(({ file, action, reason }) => ({
      filename: file.filename,
      version: file.version,
      mode: file.mode,
      checksum: file.checksum,
      action,
      reason,
      dangers: dangersOf(file.filename, action, dangers),
    })),
    dangers: { destroys: count(dangers, 'destroys'), mayDestroy: count(dangers, 'may_destroy'), unseen: count(dangers, 'unseen') },
    gate: gate === null || 'unknown' in gate ? null : gate,
    gateProblem: gate !== null && 'unknown' in gate ? gate.unknown : null,
  });
  return 0;
}

function describeFile({ file, action, reason }: PlannedFile, dangers: readonly FileDanger[]): string[] {
  if (action === 'skip') return [`✓ ${file.filename} ${reason}`];
  return [
    `→ ${file.filename} would run (${file.mode}, ${reason})`,
    ...dangersOf(file.filename, action, dangers).flatMap((danger) => [
      `  ${MARKS[danger.effect]} ${describeDanger(danger)}`,
      `      ${danger.why}`,
    ]),
  ];
}

function summarise(dangers: readonly FileDanger[], gate: GateReply | null): string[] {
  const notSeen = 'Functions and triggers that a statement calls are not analysed.';
  if (gate === null) return [`No statement destroys data. ${notSeen}`];
  const counts = (['destroys', 'may_destroy', 'unseen'] as const)
    .map((effect) => ({ effect, number: count(dangers, effect) }))
    .filter(({ number }) => number > 0)
    .map(({ effect, number }) => `${EFFECT_LABELS[effect]}: ${formatCounted(number, 'statement')}`);
  const help = 'unknown' in gate || gate.command === null ? [] : [`Create one with \`${gate.command}\`, or push with \`--backup\`.`];
  const refused = refusesPush(gate) && count(dangers, 'destroys') > 0 ? ['The policy of this project refuses the push until then.'] : [];
  return [`${counts.join(' · ')}. ${notSeen}`, describeRecovery(gate), ...help, ...refused];
}

function dangersOf(filename: string, action: PlannedFile['action'], dangers: readonly FileDanger[]): readonly FileDanger[] {
  return action === 'run' ? dangers.filter(({ file }) => file === filename) : [];
}

function count(dangers: readonly FileDanger[], effect: FileDanger['effect']): number {
  return dangers.filter((danger) => danger.effect === effect).length;
}
