import manifest from '../package.json' with { type: 'json' };

/** Version of `flux`, from its package. */
export const VERSION: string = manifest.version;
