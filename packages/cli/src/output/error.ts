import { displayJson, displaySafe } from '@flux/contract/display';
import { type ErrorCode, FluxError, isFluxError, toProblem } from '@flux/contract/errors';
import { completeCodeSpans, type SuggestionFlags } from './complete-commands.ts';

/** Converts a thrown value to a FluxError. A value of another type is a defect and reported as an unexpected error. */
export function asFluxError(error: unknown): FluxError {
  if (isFluxError(error)) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new FluxError('internal', `Unexpected error: ${message}`, {
    hint: 'Run it again with FLUX_DEBUG=1 to see where it happened, and report it.',
    cause: error,
  });
}

/** The error with the commands of its hint as they have to be typed here. */
export function completeHint(error: FluxError, flags: SuggestionFlags): FluxError {
  if (error.hint === undefined) return error;
  return new FluxError(error.code, error.message, {
    hint: completeCodeSpans(error.hint, flags),
    details: error.details,
    cause: error.cause,
  });
}

/** Errors whose message has several lines by design; in others, a line comes from a name. */
const HAVE_LINES: ReadonlySet<ErrorCode> = new Set(['gate_refused', 'migration_conflict']);

/** An error for people: what happened, then on lines of their own its details and the command that helps. */
export function renderError(error: FluxError): string {
  const excerpt = typeof error.details.excerpt === 'string' ? `\n${error.details.excerpt}` : '';
  const output = toolOutputOf(error) === '' ? '' : `\n${indent(toolOutputOf(error))}`;
  const message = HAVE_LINES.has(error.code) ? error.message : displaySafe(error.message);
  return `Error: ${message}${excerpt}${output}${error.hint === undefined ? '' : `\n${error.hint}`}`;
}

/** An error for programs: the same problem document that the control plane answers with. */
export function renderErrorJson(error: FluxError): string {
  return displayJson(JSON.stringify(toProblem(error)));
}

/** The output of the program that failed, unless the message contains it already. */
function toolOutputOf({ message, details }: FluxError): string {
  const words = [details.toolOutput, details.stderr].find((text) => typeof text === 'string') ?? '';
  return message.includes(words.trim()) ? '' : words;
}

function indent(text: string): string {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => `  ${line}`)
    .join('\n');
}
