/**
 * SQL expressions: about how many bytes a relation has. `pg_table_size` and its kind lock the relation to look at its files, so that anybody
 * who has locked it keeps them waiting; this reads the catalogs and the counters only. A table that was neither vacuumed, analysed nor
 * indexed since it was filled is known by its number of rows alone.
 *
 * @param c alias of pg_class
 */
export function estimatedTableBytes(c: string): string {
  return `greatest(${pages(c)}, pg_catalog.pg_stat_get_live_tuples(${c}.oid) * ${USUAL_ROW_BYTES})
    + coalesce((SELECT ${pages('toast')} FROM pg_catalog.pg_class toast WHERE toast.oid = ${c}.reltoastrelid), 0)`;
}

/** The same with its indexes. */
export function estimatedTotalBytes(c: string): string {
  return `${estimatedTableBytes(c)} + coalesce((SELECT sum(${pages('own')}) FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class own ON own.oid = x.indexrelid
    WHERE x.indrelid = ${c}.oid), 0)`;
}

const USUAL_ROW_BYTES = 64;

function pages(c: string): string {
  return `greatest(${c}.relpages, 0)::pg_catalog.int8 * pg_catalog.current_setting('block_size')::pg_catalog.int8`;
}
