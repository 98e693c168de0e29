import type { Finding } from '@flux/contract/doctor';
import { FluxError } from '@flux/contract/errors';
import type { Context } from '../context.ts';
import { readStdin } from '../prompt.ts';

/** Tells what a look at a database found: warnings, and what was chosen. */
export function tellFindings(output: Pick<Context['output'], 'note' | 'warn'>, findings: readonly Finding[] = []): void {
  for (const { severity, what, found, command } of findings) {
    const text = `${what}: ${found}${command === null ? '' : ` ${command}`}`;
    if (severity === 'fine') output.note(text);
    else output.warn(text);
  }
}

/**
 * The URI of a database: of the flag, of standard input for `-`, of FLUX_ATTACH_URI for a flag without a value. Null without a flag.
 *
 * @param ask asks for it when none was given
 * @throws FluxError `usage`, never with the URI in it
 */
export async function readAttachUri(
  context: Pick<Context, 'env' | 'output' | 'stdin'>,
  flag: string | true | undefined,
  ask?: () => Promise<string>,
): Promise<string | null> {
  const fromEnv = context.env.FLUX_ATTACH_URI;
  const uri =
    flag === '-' ? (await readStdin(context.stdin)).trim() : flag === true || flag === undefined ? (fromEnv ?? (await ask?.())) : flag;
  if (uri === undefined || uri === '') {
    if (flag === undefined) return null;
    throw new FluxError(
      'usage',
      flag === '-' ? 'Standard input ended without a URI.' : '--attach has no URI, and FLUX_ATTACH_URI is not set.',
      {
        hint: 'Use `--attach - < file`, or set FLUX_ATTACH_URI=postgresql://user:password@host:5432/database.',
      },
    );
  }
  // Never quote the text in a message: it contains a password.
  if (!/^postgres(?:ql)?:\/\/|^\s*[a-z_]+\s*=/.test(uri)) {
    throw new FluxError('usage', 'The URI to attach does not begin with postgresql://.', {
      hint: 'postgresql://user:password@host:5432/database',
    });
  }
  if (typeof flag === 'string' && flag !== '-' && URL.canParse(uri) && new URL(uri).password !== '') {
    context.output.warn('A password on the command line is visible to every user of this machine; use `--attach -` or FLUX_ATTACH_URI.');
  }
  return uri;
}
