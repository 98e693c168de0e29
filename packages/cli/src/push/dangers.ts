import { displaySafe } from '@flux/contract/display';
import { FluxError } from '@flux/contract/errors';
import type { GateAnswer } from '@flux/contract/gate';
import { refusalText } from '@flux/contract/refusal';
import type { Danger } from '@flux/contract/sql/dangers';
import { readRunnable } from '@flux/contract/sql/runnable';
import type { AskContext, CallContext } from '../context.ts';
import { type Override, type OverrideOptions, readOverride } from '../destroy/confirm.ts';
import { askGate, type GateReply } from '../destroy/gate.ts';
import type { ResolvedProject } from '../project/resolve.ts';
import { askText } from '../prompt.ts';
import type { PlannedFile } from './plan.ts';

/** A statement of a file that destroys data, may do so, or could not be analysed. */
export interface FileDanger extends Danger {
  readonly file: string;
}

/** Analyses the files that would run. The parser is loaded only here: it takes longer to load than the rest of a command to run. */
export async function findDangersIn(plan: readonly PlannedFile[]): Promise<readonly FileDanger[]> {
  const [{ findDangers }, { createGrammar }] = await Promise.all([
    import('@flux/contract/sql/dangers'),
    import('@flux/contract/sql/grammar'),
  ]);
  const grammar = createGrammar();
  const found: FileDanger[] = [];
  for (const { file } of plan.filter(({ action }) => action === 'run'))
    found.push(...(await findDangers(readRunnable(file.sql).sql, grammar)).map((danger) => ({ file: file.filename, ...danger })));
  return found;
}

/** The words for what a statement does to data. */
export const EFFECT_LABELS = { destroys: 'destroys data', may_destroy: 'may destroy data', unseen: 'could not be analysed' } as const;

const LONGEST_SHOWN = 100;

/** Place, effect and statement of a danger on one line. */
export function describeDanger({ file, line, effect, statement }: FileDanger): string {
  const safe = displaySafe(statement);
  const shown = safe.length > LONGEST_SHOWN ? `${safe.slice(0, LONGEST_SHOWN - 1)}…` : safe;
  return `${file}:${line} ${EFFECT_LABELS[effect]}: ${shown}`;
}

/** The answer of the gate for a push, as a sentence: whether what it destroys could be brought back. */
export function describeRecovery(reply: GateReply): string {
  if ('unknown' in reply) return `It is unknown whether a backup could revert it: ${reply.unknown}`;
  if (reply.decision === 'cleared') return `A restore-verified backup could revert it: ${reply.detail}, ${reply.label}.`;
  return `No restore-verified backup could revert it: ${reply.guidance} (${reply.detail})`;
}

/**
 * Warns about a push that destroys data without a restore-verified backup. For what is sure to be lost, a terminal is asked, and
 * `--no-input` needs `--yes`; a script without either goes on, as scripts always have. Where the policy of the project is `refuse`, it
 * is refused before anything runs, unless an administrator overrides that.
 *
 * @returns the override that the requests have to carry
 * @throws FluxError `usage` when it is not confirmed; `gate_refused`
 */
export async function confirmDangers(
  context: CallContext & AskContext,
  project: ResolvedProject,
  dangers: readonly FileDanger[],
  options: OverrideOptions & { readonly yes?: boolean | undefined },
): Promise<Override> {
  const [first] = dangers;
  if (first === undefined) return {};
  const reply = await askGate(context, project, 'push');
  const worst = dangers.find(({ effect }) => effect === 'destroys') ?? dangers.find(({ effect }) => effect === 'may_destroy') ?? first;
  // The control plane reads the file as well, and may then refuse what was cleared here.
  const mayOverride = options.skipBackupCheck === true && worst.effect === 'destroys';
  if (!('unknown' in reply) && reply.decision === 'cleared') return mayOverride ? await readOverride(context, options) : {};
  const others = dangers.length - 1;
  const more = others === 0 ? '' : ` (and ${others} more, see \`flux push --plan\`)`;
  if (worst.effect === 'destroys' && refusesPush(reply) && !mayOverride) throw refusedByPolicy(reply, worst, more);
  context.output.warn(`${describeDanger(worst)}${more}\n${describeRecovery(reply)}\nCreate one first: \`flux push --backup\`.`);
  if (worst.effect !== 'destroys') return {};
  if (mayOverride) return await readOverride(context, options);
  if (options.yes === true) return {};
  if (!context.mayAsk)
    throw new FluxError(
      'usage',
      'This push destroys data that no restore-verified backup has, and with --no-input that needs --yes. Nothing was run.',
      {
        hint: 'Create and verify a backup first with `flux push --backup`, or pass --yes.',
      },
    );
  if (context.stdin.isTTY !== true || !process.stderr.isTTY) return {};
  const typed = await askText(context, 'This destroys data that no restore-verified backup has. Type yes to continue', 'Pass --yes.');
  if (typed.toLowerCase() !== 'yes')
    throw new FluxError('usage', 'It was not confirmed. Nothing was run.', {
      hint: 'Create and verify a backup first with `flux push --backup`.',
    });
  return {};
}

/** Whether the policy of the project refuses a push that is sure to destroy data. */
export function refusesPush(reply: GateReply): reply is GateAnswer {
  return !('unknown' in reply) && reply.decision === 'refused' && reply.pushPolicy === 'refuse';
}

function refusedByPolicy(reply: GateAnswer, worst: FileDanger, more: string): FluxError {
  const { tier, label, command } = reply;
  const message = `${describeDanger(worst)}${more}\nThe policy of this project refuses that. ${refusalText(reply)}\nNothing was run.`;
  return new FluxError('gate_refused', message, {
    hint: '`flux push --backup` creates and verifies a backup, and pushes then.',
    details: { tier, label, command },
  });
}
