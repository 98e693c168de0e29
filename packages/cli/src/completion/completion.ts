import { FluxError } from '@flux/contract/errors';
import { defineCommand } from '../command.ts';
import { renderCompletion, SHELLS, type Shell } from './render.ts';
import { describeTree } from './tree.ts';

/** `flux completion` */
export const command = defineCommand<Record<string, never>>({
  arguments: [{ name: '<shell>', summary: SHELLS.join(', ') }],
  examples: [
    'flux completion bash > ~/.local/share/bash-completion/completions/flux',
    'flux completion zsh > "$fpath[1]/_flux"',
    'flux completion fish > ~/.config/fish/completions/flux.fish',
  ],
  async run(context, _options, [shell]) {
    if (!isShell(shell))
      throw new FluxError('usage', `There is no completion for ${JSON.stringify(shell)}.`, {
        hint: `There is one for ${SHELLS.join(', ')}.`,
      });
    const { buildWholeProgram } = await import('../program.ts');
    const script = renderCompletion(shell, describeTree(await buildWholeProgram()));
    context.output.answer([script.trimEnd()], { shell, script });
    return 0;
  },
});

function isShell(text: string | undefined): text is Shell {
  return SHELLS.some((shell) => shell === text);
}
