import { defineCommand, PROJECT_OPTIONS, type ProjectOptions } from '../command.ts';
import { changeInstance } from './instance.ts';

/** `flux project start` */
export const command = defineCommand<ProjectOptions>({
  arguments: [{ name: '[slug]', summary: 'name of the project (default: flux.json)' }],
  options: PROJECT_OPTIONS,
  examples: ['flux project start bloom-atelier --hash 0a1b2c3'],
  run: (context, options, [slug]) => changeInstance(context, options, slug, 'startProject', 'Starting'),
});
