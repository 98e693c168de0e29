import * as z from 'zod';
import { OperationAnswer } from '../operation.ts';

/** Path parameters of the routes of one project. */
export const projectParams = { params: z.object({ hash: z.string() }) };
/** Path parameters of the routes of one backup. */
export const backupParams = { params: z.object({ hash: z.string(), id: z.string().describe('a backup id, or `latest`') }) };
/** Path parameter of what is found by its id alone. */
export const idParams = { params: z.object({ id: z.string() }) };
/** Long work: the answer is the operation, which continues after it. */
export const started = { answer: OperationAnswer, status: 202 } as const;
