import { sampleOf } from '../../scripts/tiers.ts';
import { CASES } from './list.ts';
import { describeCases } from './run-cases.ts';

const own = CASES.filter(({ on }) => on.includes('attached'));
describeCases('attached', sampleOf(own, own.length, 1));
