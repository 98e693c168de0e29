import { FluxError } from '@flux/contract/errors';
import * as z from 'zod';

/** Permission to continue without a restore-verified backup. The actor is recorded with it. */
export interface Override {
  readonly reason: string;
}

/** The override that a request contains; null when there is none. @throws FluxError `invalid_request` for an empty reason */
export function overrideOf({ skipBackupCheck, reason }: OverrideRequest): Override | null {
  if (skipBackupCheck !== true && skipBackupCheck !== 'true' && skipBackupCheck !== '1') return null;
  if (reason !== undefined && reason.trim() === '') throw new FluxError('invalid_request', 'The reason for the override is empty.');
  return { reason: reason ?? 'none was given' };
}

/** An override in the body or query of a request. */
export interface OverrideRequest {
  readonly skipBackupCheck?: boolean | string | undefined;
  readonly reason?: string | undefined;
}

/** An override in the recorded request of an operation. */
export const OverrideSchema = z.strictObject({ reason: z.string() }).nullable();
