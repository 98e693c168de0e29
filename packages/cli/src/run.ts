import { homedir } from 'node:os';
import { FluxError, isFluxError } from '@flux/contract/errors';
import { CommanderError } from 'commander';
import { connect, requireToken } from './client/connect.ts';
import { createTransport } from './client/transport.ts';
import { asFluxError, renderError, renderErrorJson } from './output/error.ts';
import { createOutput, type Output } from './output/output.ts';
import { buildProgram, type Dispatch, type GlobalOptions } from './program.ts';
import { readSettings } from './settings/settings.ts';

/**
 * Runs one command line and renders its error, if it ends in one.
 *
 * @returns the exit code; nothing is thrown
 */
export async function runFlux(argv: readonly string[]): Promise<number> {
  // Until the command line is parsed, only its text shows how errors should look.
  let output = openOutput({ json: argv.includes('--json'), input: true, color: !argv.includes('--no-color') });
  const transport = createTransport();
  let exitCode = 0;

  const dispatch: Dispatch = async (command, globals, options, args) => {
    const opened = openOutput(globals);
    output = opened;
    const home = process.env.HOME ?? homedir();
    const settings = await readSettings({ apiBaseFlag: globals.apiBase, env: process.env, cwd: process.cwd(), home });
    exitCode = await command.run(
      {
        output,
        settings,
        env: process.env,
        cwd: process.cwd(),
        home,
        stdin: process.stdin,
        stdout: process.stdout,
        mayAsk: globals.input,
        now: () => new Date(),
        client: () => connect(settings, requireToken(settings), transport, opened),
        clientWith: (token) => connect(settings, token, transport, opened),
      },
      options,
      args,
    );
    return exitCode;
  };

  const program = buildProgram(dispatch);
  try {
    await program.parseAsync(helpAsOption(argv), { from: 'user' });
    return exitCode;
  } catch (thrown) {
    if (thrown instanceof CommanderError && isHelp(thrown, argv)) return 0;
    const error = thrown instanceof CommanderError ? usageError(thrown, argv) : asFluxError(thrown);
    output.status.clear();
    output.error(output.json ? renderErrorJson(error) : renderError(error));
    if (process.env.FLUX_DEBUG === '1' && !output.json) output.error(debugTrace(thrown));
    return error.exitCode;
  } finally {
    output.status.clear();
    transport.close();
  }
}

function openOutput(globals: GlobalOptions): Output {
  const noColor = process.env.NO_COLOR;
  return createOutput({
    stdout: process.stdout,
    stderr: process.stderr,
    json: globals.json === true,
    color: globals.color && (noColor === undefined || noColor === ''),
  });
}

/** `flux help backup create` is `flux backup create --help`, so that help has a single code path. */
function helpAsOption(argv: readonly string[]): readonly string[] {
  if (argv.length === 0) return ['--help'];
  return argv[0] === 'help' ? [...argv.slice(1), '--help'] : argv;
}

function isHelp(error: CommanderError, argv: readonly string[]): boolean {
  return (
    error.code === 'commander.helpDisplayed' || error.code === 'commander.version' || (error.code === 'commander.help' && argv.length === 0)
  );
}

function usageError(error: CommanderError, argv: readonly string[]): FluxError {
  const words = argv.filter((word) => !word.startsWith('-')).slice(0, 2);
  if (error.code === 'commander.help') {
    return new FluxError('usage', `\`flux ${words[0] ?? ''}\` needs a subcommand.`, {
      hint: `See \`flux ${words[0] ?? ''} --help\`.`,
    });
  }
  const [message = '', suggestion] = error.message.replace(/^error: /, '').split('\n');
  const hint = suggestion?.replace(/^\(|\)$/g, '') ?? `See \`flux ${isUnknownCommand(error) ? '' : `${words.join(' ')} `}--help\`.`;
  return new FluxError('usage', `${message.charAt(0).toUpperCase()}${message.slice(1)}.`, { hint });
}

function isUnknownCommand(error: CommanderError): boolean {
  return error.code === 'commander.unknownCommand';
}

function debugTrace(thrown: unknown): string {
  const parts: string[] = [];
  for (let at: unknown = thrown; at instanceof Error; at = at.cause) parts.push(at.stack ?? at.message);
  return isFluxError(thrown) && parts.length === 0 ? thrown.message : parts.join('\ncaused by ');
}
