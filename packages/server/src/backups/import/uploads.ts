import type { ProjectId } from '@flux/contract/ids';

/**
 * The bytes of archives that are arriving, of which the catalog does not know yet: together they must fit into what their project may still
 * use. One for all requests of a process; what several processes receive is counted again when an import is recorded.
 */
export class Uploads {
  readonly #taken = new Map<ProjectId, number>();

  /** Begins an upload, which takes nothing yet. Disposed, it gives back what it has taken. */
  begin(projectId: ProjectId): UploadShare {
    let own = 0;
    const all = () => this.#taken.get(projectId) ?? 0;
    const add = (bytes: number) => {
      own += bytes;
      const rest = all() + bytes;
      if (rest === 0) this.#taken.delete(projectId);
      else this.#taken.set(projectId, rest);
    };
    return {
      take: (total, bytesLeft) => {
        const more = Math.max(0, total - own);
        if (all() + more > bytesLeft) return 'does not fit';
        add(more);
        return 'taken';
      },
      [Symbol.dispose]: () => add(-own),
    };
  }
}

/** What one upload takes of the disk that its project may use. */
export interface UploadShare extends Disposable {
  /** Takes as many bytes in total, unless that is more than is left beside the other uploads of the project. What was taken is not given back. */
  take(total: number, bytesLeft: number): 'taken' | 'does not fit';
}
