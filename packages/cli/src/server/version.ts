import { defineCommand } from '../command.ts';
import { VERSION } from '../version.ts';

/** `flux version` */
export const command = defineCommand<Record<string, never>>({
  examples: ['flux version', 'flux version --json'],
  async run({ output }) {
    output.answer([VERSION], { version: VERSION, node: process.versions.node });
    return 0;
  },
});
