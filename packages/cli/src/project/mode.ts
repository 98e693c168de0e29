import { FluxError } from '@flux/contract/errors';
import type { EngineKind } from '@flux/contract/labels';

/** The mode given on the command line or in the settings, null when there is none. @throws FluxError `usage` */
export function parseMode(text: string | null): EngineKind | null {
  if (text === null || text === 'v1_dedicated' || text === 'v2_shared') return text;
  throw new FluxError('usage', `There is no mode ${JSON.stringify(text)}.`, { hint: 'The modes are v1_dedicated and v2_shared.' });
}
