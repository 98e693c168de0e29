import type { TrustTier } from '@flux/contract/labels';
import type { Output } from './output.ts';

/** Gives a text the colour of what a tier allows: green for restorable, red for proven bad, yellow for not proven. */
export function paintTier(colors: Output['colors'], tier: TrustTier, text: string): string {
  if (tier === 'restorable') return colors.green(text);
  return tier === 'restore_failed' || tier === 'pipeline_incomplete' ? colors.red(text) : colors.yellow(text);
}
