import type { Damage } from './damage.ts';
import { BYTE_DAMAGES } from './damages/bytes.ts';
import { HOSTILE_DAMAGES } from './damages/hostile.ts';
import { REPACKED_DAMAGES } from './damages/repacked.ts';

/** Every damage that a verification must detect, in the order of the page. */
export const CORPUS: readonly Damage[] = [...BYTE_DAMAGES, ...REPACKED_DAMAGES, ...HOSTILE_DAMAGES];
