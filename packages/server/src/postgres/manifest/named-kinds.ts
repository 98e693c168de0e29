import type { Difference } from '@flux/contract/backup';
import type { MeasuredDatabase, SchemaObject } from '../manifest.ts';
import { difference } from './difference.ts';
import { parseExtensionVersion } from './facts.ts';

/** What belongs to the database itself or to a role. Flux brings it back where the database is its own. */
const OF_THE_DATABASE = [
  'database_setting',
  'role_setting',
  'database_comment',
  'database_limit',
  'database_grant',
  'role_limit',
  'membership',
  'setting_grant',
];

/** Kinds of objects that no archive contains: a difference in them is named, and never a failure. */
const NAMED: ReadonlySet<string> = new Set(['extension_member', 'extension_sequence', 'column_order', ...OF_THE_DATABASE]);

/** Whether a difference in an object of this kind is only named. */
export function isOnlyNamed({ kind }: Pick<SchemaObject, 'kind'>): boolean {
  return NAMED.has(kind);
}

/**
 * Names what of these kinds a restore did not bring back. The members of an extension are compared only where both sides have the same
 * version of it.
 */
export function compareNamed(expected: Pick<MeasuredDatabase, 'objects'>, found: Pick<MeasuredDatabase, 'objects'>): Difference[] {
  const there = new Map(found.objects.filter(isOnlyNamed).map((object) => [`${object.kind}\n${object.name}`, object]));
  const versions = [versionsOf(expected), versionsOf(found)] as const;
  return expected.objects.filter(isOnlyNamed).flatMap((object) => {
    const other = there.get(`${object.kind}\n${object.name}`);
    if (other?.definition === object.definition) return [];
    const change = other === undefined ? 'missing' : 'changed';
    switch (object.kind) {
      case 'extension_member': {
        const [extension, member] = splitMember(object.name);
        const [before, after] = versions.map((version) => version.get(extension));
        // A missing extension is reported itself, and another version may have other members.
        if (after === undefined || before !== after || isRelationWithRows(member)) return [];
        const reason =
          other === undefined
            ? `It was made a member of the extension ${extension}, so pg_dump leaves it out; CREATE EXTENSION does not create it. ALTER EXTENSION ${extension} DROP ${member} in the source makes it dumped.`
            : `It belongs to the extension ${extension} and was changed in the source; a restore creates it as the extension has it.`;
        return [difference('left_out', 'extension_member', member, change, reason, null)];
      }
      case 'extension_sequence':
        return [
          difference(
            'left_out',
            'sequence_value',
            object.name,
            change,
            `It belongs to an extension, so pg_dump leaves its value out: ${object.definition} there, ${other?.definition ?? 'missing'} after a restore. Set it with setval() after a restore.`,
            null,
          ),
        ];
      case 'column_order':
        // A missing table is already reported among the objects.
        if (other === undefined) return [];
        return [
          difference(
            'left_out',
            'column_order',
            object.name,
            'changed',
            `Its columns come back in another order, those of its parent first: ${object.definition} there, ${other.definition} after a restore. Name the columns in INSERT and SELECT.`,
            null,
          ),
        ];
      default:
        return [
          difference(
            'left_out',
            object.kind,
            object.name,
            change,
            `It belongs to the database or a role and is in no archive: ${object.definition} there, ${other?.definition ?? 'nothing'} here. \`flux backup show\` prints the SQL for it.`,
            null,
          ),
        ];
    }
  });
}

function versionsOf({ objects }: Pick<MeasuredDatabase, 'objects'>): ReadonlyMap<string, string> {
  return new Map(
    objects.filter(({ kind }) => kind === 'extension').map(({ name, definition }) => [name, parseExtensionVersion(definition)]),
  );
}

/** `extension: member`, the name of the extension as SQL. */
function splitMember(name: string): readonly [string, string] {
  const quoted = /^"(?:[^"]|"")+"/.exec(name)?.[0];
  const extension = quoted ?? name.slice(0, name.indexOf(': '));
  return [extension, name.slice(extension.length + 2)];
}

/** Tables that are members are compared with their rows. */
function isRelationWithRows(member: string): boolean {
  return member.startsWith('table ') || member.startsWith('materialized view ');
}
