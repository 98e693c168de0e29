import { isOfAllSchemas } from '../../postgres/manifest/objects/rights.ts';
import type { Manifest } from '../../postgres/manifest.ts';

/** A manifest of a tenant export without the default privileges of all schemas: they belong to the role, and not every restore sets them. */
export function withoutRoleDefaults(manifest: Manifest): Manifest {
  const objects = manifest.objects.filter((object) => !isOfAllSchemas(object));
  return { ...manifest, objects, prerequisites: { ...manifest.prerequisites, defaultRevocations: undefined } };
}
