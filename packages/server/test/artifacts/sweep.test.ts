import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { createVolumeStore } from '../../src/artifacts/volume.ts';
import { TEMPORARY_PREFIX } from '../../src/system/atomic-file.ts';

it('removes every temporary file that can be removed, and tells of the others', async () => {
  const root = mkdtempSync(join(tmpdir(), 'flux-sweep-'));
  try {
    // A folder cannot be removed as a file is.
    mkdirSync(join(root, 'a', `${TEMPORARY_PREFIX}folder`), { recursive: true });
    const files = [join(root, 'a', `${TEMPORARY_PREFIX}z`), join(root, 'b', `${TEMPORARY_PREFIX}one`)];
    mkdirSync(join(root, 'b'));
    for (const file of files) writeFileSync(file, 'x');
    await expect(createVolumeStore(root).sweep()).rejects.toThrow('could not remove 1 temporary files of backups');
    expect(files.filter((file) => existsSync(file))).toEqual([]);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});
