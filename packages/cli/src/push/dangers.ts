import { FluxError } from '@flux/contract/errors';
import type { Danger } from '@flux/contract/sql/dangers';
import { readRunnable } from '@flux/contract/sql/runnable';
import type { AskContext, CallContext } from '../context.ts';
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
  const shown = statement.length > LONGEST_SHOWN ? `${statement.slice(0, LONGEST_SHOWN - 1)}…` : statement;
  return `${file}:${line} ${EFFECT_LABELS[effect]}: ${shown}`;
}

/** The answer of the gate for a push, as a sentence. The gate never refuses a push, but a push may have to be reverted as well. */
export function describeRecovery(reply: GateReply): string {
  if ('unknown' in reply) return `It is unknown whether a backup could revert it: ${reply.unknown}`;
  if (reply.decision === 'cleared') return `A restore-verified backup could revert it: ${reply.detail}, ${reply.label}.`;
  return `No restore-verified backup could revert it: ${reply.guidance} (${reply.detail})`;
}

/**
 * Warns about a push that destroys data without a restore-verified backup. For what is sure to be lost, a terminal is asked, and
 * `--no-input` needs `--yes`; a script without either goes on, as scripts always have.
 *
 * @throws FluxError `usage` when it is not confirmed
 */
export async function confirmDangers(
  context: CallContext & AskContext,
  project: ResolvedProject,
  dangers: readonly FileDanger[],
  yes: boolean,
): Promise<void> {
  const [first] = dangers;
  if (first === undefined) return;
  const reply = await askGate(context, project, 'push');
  if (!('unknown' in reply) && reply.decision === 'cleared') return;
  const worst = dangers.find(({ effect }) => effect === 'destroys') ?? dangers.find(({ effect }) => effect === 'may_destroy') ?? first;
  const others = dangers.length - 1;
  const more = others === 0 ? '' : ` (and ${others} more, see \`flux push --plan\`)`;
  context.output.warn(`${describeDanger(worst)}${more}\n${describeRecovery(reply)}\nCreate one first: \`flux push --backup\`.`);
  if (worst.effect !== 'destroys' || yes) return;
  if (!context.mayAsk)
    throw new FluxError(
      'usage',
      'This push destroys data that no restore-verified backup has, and with --no-input that needs --yes. Nothing was run.',
      {
        hint: 'Create and verify a backup first with `flux push --backup`, or pass --yes.',
      },
    );
  if (context.stdin.isTTY !== true || !process.stderr.isTTY) return;
  const typed = await askText(context, 'This destroys data that no restore-verified backup has. Type yes to continue', 'Pass --yes.');
  if (typed.toLowerCase() !== 'yes')
    throw new FluxError('usage', 'It was not confirmed. Nothing was run.', {
      hint: 'Create and verify a backup first with `flux push --backup`.',
    });
}
