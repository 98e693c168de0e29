import { needsSandbox } from '../../../../acceptance/harness/sandbox.ts';
import { describeDisposables } from '../conformance/disposables.ts';
import { prepareDisposablePlace, writeDump } from './disposable-place.ts';

const preparePlace = async (sandbox: 'bubblewrap' | 'unshare' | 'off') => {
  const place = await prepareDisposablePlace();
  await writeDump(place);
  return { ...place, provider: await place.provider(sandbox) };
};

describeDisposables('the local provider with bubblewrap', await needsSandbox('bubblewrap'), () => preparePlace('bubblewrap'));
describeDisposables('the local provider with unshare', await needsSandbox('unshare'), () => preparePlace('unshare'));
describeDisposables('the local provider without a sandbox', {}, () => preparePlace('off'));
