import { statfs } from 'node:fs/promises';

/** Free space of the file system that a folder is in, without root's reserve, in bytes. */
export async function freeBytesOf(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}
