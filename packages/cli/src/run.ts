import { homedir } from 'node:os';
import { FluxError, isFluxError } from '@flux/contract/errors';
import { CommanderError } from 'commander';
import { connect, requireToken } from './client/connect.ts';
import { askVersion } from './client/server-version.ts';
import { createTransport } from './client/transport.ts';
import { ALIASES } from './commands.ts';
import { asFluxError, completeHint, renderError, renderErrorJson } from './output/error.ts';
import { createOutput, type Output } from './output/output.ts';
import { buildProgram, calledWords, type Dispatch, type GlobalOptions, groupOf } from './program.ts';
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
        serverVersion: () => askVersion(settings.apiBase, transport),
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
    if (thrown instanceof CommanderError && isHelp(thrown)) {
      // A group, or `flux` itself, without a command: commander has written the help to nowhere.
      if (thrown.code === 'commander.help') (groupOf(program, argv) ?? program).outputHelp();
      return 0;
    }
    const error = thrown instanceof CommanderError ? usageError(thrown, calledWords(program, argv)) : asFluxError(thrown);
    output.status.clear();
    const whole = completeHint(error, output.suggestions());
    output.error(output.json ? renderErrorJson(whole) : renderError(whole));
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
    apiBase: globals.apiBase ?? null,
    color: globals.color && (noColor === undefined || noColor === ''),
  });
}

/** `flux help backup create` is `flux backup create --help`, so that help has a single code path. */
function helpAsOption(argv: readonly string[]): readonly string[] {
  if (argv.length === 0) return ['--help'];
  return argv[0] === 'help' ? [...argv.slice(1), '--help'] : argv;
}

function isHelp({ code }: CommanderError): boolean {
  return code === 'commander.helpDisplayed' || code === 'commander.version' || code === 'commander.help';
}

/** @param words the command that was called */
function usageError(error: CommanderError, words: readonly string[]): FluxError {
  const text = error.message.replace(/^error: /, '');
  // Only the suggestion stands in a line of its own in brackets; a word of the command line may have any lines.
  const at = text.lastIndexOf('\n(');
  const [message, suggestion] = at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
  const help = `See \`${['flux', ...words, '--help'].join(' ')}\`.`;
  const hint = suggestion === undefined ? help : `${withoutAliases(suggestion.replace(/^\(|\)$/g, ''))} ${help}`;
  return new FluxError('usage', `${message.charAt(0).toUpperCase()}${message.slice(1)}.`, { hint });
}

/** `Did you mean one of list, ls?` is one suggestion: each has a second name. */
function withoutAliases(suggestion: string): string {
  const names = /^Did you mean one of (.+)\?$/.exec(suggestion)?.[1]?.split(', ');
  const others = names?.filter((name) => !Object.values(ALIASES).includes(name));
  return others?.length === 1 ? `Did you mean ${others[0]}?` : suggestion;
}

function debugTrace(thrown: unknown): string {
  const parts: string[] = [];
  for (let at: unknown = thrown; at instanceof Error; at = at.cause) parts.push(at.stack ?? at.message);
  return isFluxError(thrown) && parts.length === 0 ? thrown.message : parts.join('\ncaused by ');
}
