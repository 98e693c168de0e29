/** Memory that living instances of one provider may still come to use, so that the next one is not promised it too. */
export interface MemoryReservations {
  /** Bytes over all instances. */
  total(): number;
  /** Reserves for an instance; null, for one whose data is on disk, reserves nothing. Replaces what it had reserved. */
  reserve(id: string, bytes: number | null): void;
  /** Repeatable. */
  release(id: string): void;
}

/** No reservation yet. */
export function createMemoryReservations(): MemoryReservations {
  const byId = new Map<string, number>();
  return {
    total: () => [...byId.values()].reduce((sum, bytes) => sum + bytes, 0),
    reserve(id, bytes) {
      if (bytes === null) byId.delete(id);
      else byId.set(id, bytes);
    },
    release: (id) => void byId.delete(id),
  };
}
