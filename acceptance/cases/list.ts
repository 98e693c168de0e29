import type { Case } from './case.ts';

const ALL = ['dedicated', 'shared', 'attached'] as const;
const OWN = ['dedicated', 'attached'] as const;
const RUN = ['dedicated', 'shared'] as const;
/** Settings belong to the database, and those who restore by hand or elsewhere have to be told of them. */
const settings = (words: RegExp) => ({ 'by hand': words, to: words });
/** A true failure: says what in the source causes it, and not that another backup would be better. */
const CURE = /in the source|to cure|cure:/i;

const EQUAL: readonly Case[] = [
  { input: 'any-table', on: ALL },
  { input: 'between-and', on: ALL },
  { input: 'literal-in-subselect', on: ALL },
  { input: 'domain-default', on: RUN },
  { input: 'hash-partitions-of-an-enum', on: RUN, says: [/flow0?.*as a whole is equal/] },
  { input: 'child-without-the-parents-default', on: RUN },
  { input: 'many-definitions', on: RUN },
  { input: 'quote-all-identifiers', on: ['dedicated'], names: settings(/default_transaction_read_only/) },
  { input: 'database-read-only-by-default', on: ['dedicated'], names: settings(/default_transaction_read_only/) },
  { input: 'generated-by-a-function-that-changed', on: ALL, says: [/sums/] },
  { input: 'materialized-views', on: ALL, says: [/sample/, /lately|totals/] },
  { input: 'not-valid', on: ALL },
  { input: 'no-columns-many-columns', on: ALL },
  { input: 'comments', on: ALL },
  { input: 'comment-on-public', on: OWN },
  { input: 'view-options-rules-storage', on: ALL },
  { input: 'rights-of-every-kind', on: RUN },
  { input: 'icu-collation-nondeterministic', on: ALL },
  { input: 'search-path-from-current', on: ALL },
  { input: 'names-of-objects-as-values', on: ALL },
  { input: 'quotes-and-names', on: RUN },
];

const OF_A_DATABASE: readonly Case[] = [
  { input: 'icu-default-order', on: ['attached'], database: `locale_provider icu icu_locale 'en-US'` },
  { input: 'icu-default-partitions', on: ['attached'], database: `locale_provider icu icu_locale 'en-US'` },
  { input: 'icu-default-check', on: ['attached'], database: `locale_provider icu icu_locale 'en-US'` },
  { input: 'icu-database', on: ['attached'], database: `locale 'C.UTF-8' locale_provider icu icu_locale 'de-DE-x-icu'` },
  { input: 'latin1', on: ['attached'], database: `encoding 'LATIN1' locale 'C'` },
  { input: 'sql-ascii', on: ['attached'], database: `encoding 'SQL_ASCII' locale 'C'` },
  { input: 'settings-of-the-database', on: OWN, names: settings(/Asia\/Kolkata/) },
  { input: 'settings-by-owner', on: OWN, names: settings(/Asia\/Tokyo/) },
  { input: 'large-objects', on: ['attached'], names: { into: /house_files|belonged to another role/ } },
  { input: 'tablespace', on: ['attached'], says: [/tablespace|house_space/] },
  { input: 'role-settings', on: ['attached'], names: { ...settings(/statement_timeout/), into: /log_min_messages/ } },
  {
    input: 'roles-with-odd-names',
    on: ['attached'],
    names: { ...settings(/app.*two/), into: /work_mem/ },
  },
  { input: 'settings-with-odd-values', on: OWN, asSuperuser: true, names: settings(/my conf/) },
  { input: 'default-privileges-without-schema', on: ['shared', 'dedicated'] },
];

const OF_A_SUPERUSER: readonly Case[] = [
  { input: 'event-triggers', on: OWN, asSuperuser: true },
  { input: 'publications-and-subscription', on: OWN, asSuperuser: true, says: [/sleeping/] },
  { input: 'rights-handed-on', on: OWN, asSuperuser: true },
  { input: 'names-of-roles', on: OWN, asSuperuser: true },
  { input: 'secret-in-an-error', on: OWN, asSuperuser: true },
  { input: 'extension-that-brings-another', on: OWN, asSuperuser: true },
  { input: 'extension-with-rows', on: OWN, asSuperuser: true, needs: ['postgis'] },
  { input: 'extension-that-is-not-here', on: ['attached'], needs: ['vector'] },
  { input: 'library-by-alternatives', on: OWN, asSuperuser: true, needs: ['postgis_raster'] },
];

const NAMED: readonly Case[] = [
  {
    input: 'table-made-member-of-extension',
    on: OWN,
    verdict: 'failed',
    says: [/public\.outbox/, /500 rows/, /ALTER EXTENSION "hstore" DROP TABLE public\.outbox/],
  },
  { input: 'own-objects-in-extension', on: OWN, says: [/rate/, /prices/, /unit/] },
  { input: 'what-no-dump-contains', on: ALL, says: [/dangling.*replica identity/, /paid\.positive/] },
  {
    input: 'invalid-index',
    on: OWN,
    after: 'create unique index concurrently users_mail on users (mail)',
    says: [/users_mail/],
  },
  { input: 'foreign-key-checks-off', on: ['attached'], says: [/\bc\b.*(trigger|foreign key)|(trigger|foreign key).*\bc\b/i] },
  { input: 'matview-over-foreign-table', on: ['attached'], says: [/items_here/] },
  { input: 'materialized-view-over-a-foreign-table', on: ['attached'], says: [/counts/] },
  { input: 'views-that-fail-for-other-reasons', on: ['attached'], says: [/gathered/, /on_top/] },
  {
    input: 'tenant-uses-public-type',
    on: ['shared'],
    before: `create extension if not exists citext schema public; do $$ begin create type public.priority as enum ('low', 'high'); exception when duplicate_object then null; end $$`,
  },
  { input: 'tenant-extension-in-a-body', on: ['shared'], before: 'create extension if not exists pgcrypto schema public' },
  { input: 'tenant-citext-to-dedicated', on: ['shared'], before: 'create extension if not exists citext schema public' },
  {
    input: 'rows-of-an-extension-that-no-dump-holds',
    on: OWN,
    asSuperuser: true,
    needs: ['postgis_topology'],
    says: [/31467|spatial_ref_sys/, /topology_id_seq/],
  },
  { input: 'child-with-the-usual-storage', on: ALL, says: [/special\.note.*storage/, /special\.body.*compression/] },
  { input: 'columns-of-a-child', on: ALL, says: [/child/] },
  { input: 'readme-restore-by-hand', on: ['dedicated'] },
  { input: 'partitions-by-hand', on: ['dedicated'] },
];

const FAILED: readonly Case[] = [
  { input: 'foreign-key-broken', on: OWN, asSuperuser: true, verdict: 'failed', says: [/child_p_fkey/, CURE] },
  {
    input: 'duplicates-under-unique-index',
    on: ['attached'],
    before: 'set allow_system_table_mods = on',
    verdict: 'failed',
    says: [/accounts_email/, CURE],
  },
  { input: 'generated-column-unqualified', on: ALL, verdict: 'failed', says: [/fold/, CURE] },
  { input: 'check-and-index-unqualified', on: ALL, verdict: 'failed', says: [/fold/, CURE] },
  { input: 'matview-with-name-in-string', on: ALL, until: 16, verdict: 'failed', says: [/texts/, CURE] },
  { input: 'check-looks-into-other-table', on: OWN, verdict: 'failed', says: [/zone/, CURE] },
  { input: 'check-with-clock', on: ALL, after: 'select pg_sleep(2)', verdict: 'failed', says: [/still_open/, CURE] },
  { input: 'child-more-nullable', on: ALL, until: 17, verdict: 'failed', says: [/special|note/, CURE] },
  {
    input: 'body-needs-a-cast',
    on: ['shared'],
    verdict: 'failed',
    says: [/operator does not exist: .*mood/, /function instead of the cast/, CURE],
  },
  {
    input: 'default-by-a-cast',
    on: ['shared'],
    verdict: 'failed',
    says: [/expression is of type .*mood/, /function instead of the cast/, CURE],
  },
  { input: 'view-over-a-cast', on: ['shared'], verdict: 'failed', says: [/cannot cast type .*mood/, /function instead of the cast/, CURE] },
  { input: 'sql-function-in-an-index', on: ALL, until: 16, verdict: 'failed', says: [/squeeze/, CURE] },
];

/** Every case that needs nothing but a server, a pool and a cluster of somebody else. Others are in files of their own. */
export const CASES: readonly Case[] = [...EQUAL, ...OF_A_DATABASE, ...OF_A_SUPERUSER, ...NAMED, ...FAILED];
