import type { RestoreRights } from '../../engines/staging.ts';
import type { Comparison } from '../../postgres/restored-database.ts';

type Difference = Comparison['differences'][number];

/** Kinds of objects that only a superuser can create, or that need one, and that hold no rows. */
const KINDS = new Set([
  'access_method',
  'cast',
  'event_trigger',
  'foreign_data_wrapper',
  'foreign_table',
  'language',
  'operator_class',
  'operator_family',
  'publication',
  'security_label',
  'server',
  'text_search_parser',
  'text_search_template',
  'transform',
  'user_mapping',
]);

/** Functions in a language whose code runs with the rights of the server's account, and those that promise to leak nothing. Line breaks are escaped here. */
const PRIVILEGED_FUNCTION = /\\u000a LANGUAGE (c|internal|\w+u)\b|\bLEAKPROOF\b/;

/** Why something of these kinds is missing. A superuser may create all of it, but the server may lack a library that it needs. */
const REASONS: Readonly<Record<RestoreRights, string>> = {
  owner: 'since the owner of a project may not have it',
  superuser: 'since the owner of a project may not have it, or the server refused it',
};

/**
 * Which differences come from what the project's owner may not create and the administrator does not create for it: see adr/0013. The rest of
 * the backup is complete without them; all of them are named.
 *
 * @param rights those that pg_restore had
 */
export function superuserOnly(
  differences: readonly Difference[],
  rights: RestoreRights,
): { is(found: Difference): boolean; readonly notes: readonly string[] } {
  const missing = differences.filter((found) => found.judgement === 'failure' && found.change === 'missing' && needsSuperuser(found));
  const about = missing.map(({ name }) => ` ${name.replace(/\(.*$/s, '')}`);
  // The owner, the comment and the grants of something that is missing are missing with it.
  const belongs = ({ kind, name, change }: Difference) =>
    change === 'missing' &&
    (kind === 'rows'
      ? missing.some((table) => table.kind === 'foreign_table' && table.name === name)
      : ['owner', 'comment', 'grant'].includes(kind) && about.some((object) => name.includes(object)));
  const named = missing.map(({ kind, name }) => `${kind.replaceAll('_', ' ')} ${name}`);
  return {
    is: (found) => missing.includes(found) || belongs(found),
    notes: missing.length === 0 ? [] : [`Not restored, ${REASONS[rights]}: ${named.join('; ')}.`],
  };
}

function needsSuperuser({ kind, expected }: Difference): boolean {
  if (KINDS.has(kind)) return true;
  if (kind === 'function' || kind === 'procedure') return expected !== null && PRIVILEGED_FUNCTION.test(expected);
  // A right that is not given is named; one that is not taken away would be a failure.
  return kind === 'grant' && expected !== null && expected !== 'nothing';
}
