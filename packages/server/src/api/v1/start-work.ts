import type { OperationId } from '@flux/contract/ids';
import type { OperationAnswer } from '@flux/contract/operation';
import { readOperation } from '../../operations/wait.ts';
import type { OperationRouteDeps } from '../deps.ts';
import { toOperationAnswer } from '../operation-answer.ts';

/** The answer to a request for long work: the operation as it is now. It continues whether or not a client follows it. */
export async function startWork({ catalog }: Pick<OperationRouteDeps, 'catalog'>, id: OperationId): Promise<OperationAnswer> {
  return toOperationAnswer(await readOperation(catalog, id));
}
