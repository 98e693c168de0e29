import { defineCommand } from '../command.ts';
import { formatFields } from '../output/table.ts';
import { VERSION } from '../version.ts';

/** `flux version` */
export const command = defineCommand<Record<string, never>>({
  examples: ['flux version', 'flux version --json'],
  about: 'Exit code 0 also when the control plane does not answer. `flux --version` prints the version of flux alone.',
  async run(context) {
    const { output, settings } = context;
    const { apiBase } = settings;
    const server = await context.serverVersion();
    output.answer(
      formatFields([
        ['flux', VERSION],
        ['Control plane', `${server ?? 'does not answer'} (${apiBase})`],
      ]),
      { version: VERSION, node: process.versions.node, server: { version: server, apiBase } },
    );
    if (server !== null && server !== VERSION)
      output.warn(`flux ${VERSION} and the control plane ${server} are not of the same version: some commands may not work.`);
    return 0;
  },
});
