import { FluxError } from '@flux/contract/errors';
import type { EngineKind } from '@flux/contract/labels';

/** A mode that was asked for, null when none was. @throws FluxError `usage` */
export function parseMode(text: string | null): EngineKind | null {
  if (text === null || text === 'v1_dedicated' || text === 'v2_shared') return text;
  throw new FluxError('usage', `There is no mode ${JSON.stringify(text)}.`, { hint: 'The modes are v1_dedicated and v2_shared.' });
}
