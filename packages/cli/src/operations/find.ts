import { FluxError } from '@flux/contract/errors';
import { isUuid } from '@flux/contract/ids';
import type { OperationAnswer } from '@flux/contract/operation';
import { completeId, isIdPrefix } from '../backup/complete-id.ts';
import type { CallContext } from '../context.ts';

/** How many of the newest operations are searched for the first digits of an id. */
const SEARCHED = 1000;

/**
 * The operation that the command line names: by its id, or the first digits of it.
 *
 * @throws FluxError `usage` for what is not the beginning of an id; `operation_not_found`
 */
export async function findOperation(context: CallContext, named: string): Promise<OperationAnswer> {
  const id = named.toLowerCase();
  if (!isIdPrefix(id))
    throw new FluxError('usage', `${JSON.stringify(named)} is not the id of an operation.`, { hint: 'See `flux operation list`.' });
  const client = context.client();
  if (isUuid(id)) return client.call('getOperation', { params: { id } });
  const { operations } = await client.call('listOperations', { params: {}, query: { limit: SEARCHED } });
  const whole = completeId(
    id,
    operations.map((operation) => operation.id),
    { noun: 'operation', code: 'operation_not_found', list: 'flux operation list' },
  );
  return client.call('getOperation', { params: { id: whole } });
}
