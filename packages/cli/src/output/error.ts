import { FluxError, isFluxError, toProblem } from '@flux/contract/errors';

/** Anything thrown, as an error of ours. What is not ours is a defect, and says so. */
export function asFluxError(error: unknown): FluxError {
  if (isFluxError(error)) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new FluxError('internal', `flux failed in a way that it should not: ${message}`, {
    hint: 'Set FLUX_DEBUG=1 to see where, and report it.',
    cause: error,
  });
}

/** An error for people: what happened, then on lines of their own its details and the command that helps. */
export function renderError(error: FluxError): string {
  const excerpt = typeof error.details.excerpt === 'string' ? `\n${error.details.excerpt}` : '';
  const output = typeof error.details.toolOutput === 'string' ? `\n${indent(error.details.toolOutput)}` : '';
  return `Error: ${error.message}${excerpt}${output}${error.hint === undefined ? '' : `\n${error.hint}`}`;
}

/** An error for programs: the same problem document that the control plane answers with. */
export function renderErrorJson(error: FluxError): string {
  return JSON.stringify(toProblem(error));
}

function indent(text: string): string {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => `  ${line}`)
    .join('\n');
}
