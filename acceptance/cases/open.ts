/**
 * What is not right yet: the name of a test and what is wrong. Such a test has to fail; as soon as it passes, its line here is in the way
 * and goes.
 */
export const OPEN: Readonly<Record<string, string>> = {
  'any-table shared into dedicated':
    'default privileges of the tenant without a schema are not made in the dedicated copy: functions made afterwards are open to everybody',
  'any-table shared migrate':
    'default privileges of the tenant without a schema are not made in the dedicated copy: functions made afterwards are open to everybody',
  'between-and shared into dedicated':
    'default privileges of the tenant without a schema are not made in the dedicated copy: functions made afterwards are open to everybody',
  'between-and shared migrate':
    'default privileges of the tenant without a schema are not made in the dedicated copy: functions made afterwards are open to everybody',
  'child-without-the-parents-default dedicated in place':
    'a child that dropped an inherited default comes back with NULL::type as its default, which is condemned',
  'child-without-the-parents-default dedicated into':
    'a child that dropped an inherited default comes back with NULL::type as its default, which is condemned',
  'child-without-the-parents-default dedicated verify':
    'a child that dropped an inherited default comes back with NULL::type as its default, which is condemned',
  'child-without-the-parents-default shared in place':
    'a child that dropped an inherited default comes back with NULL::type as its default, which is condemned',
  'child-without-the-parents-default shared into':
    'a child that dropped an inherited default comes back with NULL::type as its default, which is condemned',
  'child-without-the-parents-default shared into dedicated':
    'default privileges of the tenant without a schema are not made in the dedicated copy: functions made afterwards are open to everybody',
  'child-without-the-parents-default shared migrate':
    'default privileges of the tenant without a schema are not made in the dedicated copy: functions made afterwards are open to everybody',
  'child-without-the-parents-default shared verify':
    'a child that dropped an inherited default comes back with NULL::type as its default, which is condemned',
  'database-read-only-by-default dedicated by hand':
    'settings of the database are neither restored nor named: they are in no answer and not in `flux backup show`',
  'database-read-only-by-default dedicated in place': 'our session inherits default_transaction_read_only when it renames databases',
  'database-read-only-by-default dedicated into':
    'settings of the database are neither restored nor named: they are in no answer and not in `flux backup show`',
  'database-read-only-by-default dedicated to':
    'settings of the database are neither restored nor named: they are in no answer and not in `flux backup show`',
  'domain-default shared into dedicated':
    'default privileges of the tenant without a schema are not made in the dedicated copy: functions made afterwards are open to everybody',
  'domain-default shared migrate':
    'default privileges of the tenant without a schema are not made in the dedicated copy: functions made afterwards are open to everybody',
  'event-triggers attached into': 'what only a superuser may create is refused as a whole, instead of being made by the administrator',
  'extension that is not here: verify': 'an extension that the host lacks is taken for a broken backup',
  'extension-that-brings-another attached into':
    'what only a superuser may create is refused as a whole, instead of being made by the administrator',
  'generated-by-a-function-that-changed attached by hand':
    'a table with an index on an expression is digested by COPY, which leaves out generated columns: other values come back and nobody is told',
  'generated-by-a-function-that-changed attached into':
    'a table with an index on an expression is digested by COPY, which leaves out generated columns: other values come back and nobody is told',
  'generated-by-a-function-that-changed attached to':
    'a table with an index on an expression is digested by COPY, which leaves out generated columns: other values come back and nobody is told',
  'generated-by-a-function-that-changed attached verify':
    'a table with an index on an expression is digested by COPY, which leaves out generated columns: other values come back and nobody is told',
  'generated-by-a-function-that-changed dedicated by hand':
    'a table with an index on an expression is digested by COPY, which leaves out generated columns: other values come back and nobody is told',
  'generated-by-a-function-that-changed dedicated in place':
    'a table with an index on an expression is digested by COPY, which leaves out generated columns: other values come back and nobody is told',
  'generated-by-a-function-that-changed dedicated into':
    'a table with an index on an expression is digested by COPY, which leaves out generated columns: other values come back and nobody is told',
  'generated-by-a-function-that-changed dedicated to':
    'a table with an index on an expression is digested by COPY, which leaves out generated columns: other values come back and nobody is told',
  'generated-by-a-function-that-changed dedicated verify':
    'a table with an index on an expression is digested by COPY, which leaves out generated columns: other values come back and nobody is told',
  'hash-partitions-of-an-enum dedicated in place':
    'rows that hash into other partitions after a restore are taken for lost: the leaves are compared instead of the root',
  'hash-partitions-of-an-enum dedicated into':
    'rows that hash into other partitions after a restore are taken for lost: the leaves are compared instead of the root',
  'hash-partitions-of-an-enum dedicated verify':
    'rows that hash into other partitions after a restore are taken for lost: the leaves are compared instead of the root',
  'hash-partitions-of-an-enum shared in place':
    'rows that hash into other partitions after a restore are taken for lost: the leaves are compared instead of the root',
  'hash-partitions-of-an-enum shared into':
    'rows that hash into other partitions after a restore are taken for lost: the leaves are compared instead of the root',
  'hash-partitions-of-an-enum shared into dedicated':
    'default privileges of the tenant without a schema are not made in the dedicated copy: functions made afterwards are open to everybody',
  'hash-partitions-of-an-enum shared migrate':
    'default privileges of the tenant without a schema are not made in the dedicated copy: functions made afterwards are open to everybody',
  'hash-partitions-of-an-enum shared verify':
    'rows that hash into other partitions after a restore are taken for lost: the leaves are compared instead of the root',
  'icu-database attached into': 'the disposable instance and projects are made without the ICU locale of the source',
  'icu-database attached verify': 'the disposable instance and projects are made without the ICU locale of the source',
  'icu-default-check attached into': 'the disposable instance and projects are made without the ICU locale of the source',
  'icu-default-check attached verify': 'the disposable instance and projects are made without the ICU locale of the source',
  'icu-default-order attached into': 'the disposable instance and projects are made without the ICU locale of the source',
  'icu-default-order attached verify': 'the disposable instance and projects are made without the ICU locale of the source',
  'icu-default-partitions attached into': 'the disposable instance and projects are made without the ICU locale of the source',
  'icu-default-partitions attached verify': 'the disposable instance and projects are made without the ICU locale of the source',
  'invalid-index attached by hand': 'not yet looked into',
  'invalid-index attached verify': 'not yet looked into',
  'large-objects attached into': "rights of large objects on another owner's behalf are not named",
  'literal-in-subselect shared into dedicated':
    'default privileges of the tenant without a schema are not made in the dedicated copy: functions made afterwards are open to everybody',
  'literal-in-subselect shared migrate':
    'default privileges of the tenant without a schema are not made in the dedicated copy: functions made afterwards are open to everybody',
  'locale that is not here: into': 'a locale that the host lacks ends with 1 instead of 10',
  'login that may not read all: attach': 'create --attach does not look at what the login may read',
  'login that may not read all: create': 'a sequence that the login may not read is an unexpected error',
  'many-definitions shared into dedicated':
    'default privileges of the tenant without a schema are not made in the dedicated copy: functions made afterwards are open to everybody',
  'many-definitions shared migrate':
    'default privileges of the tenant without a schema are not made in the dedicated copy: functions made afterwards are open to everybody',
  'money of another country: verify': 'money in the currency of a locale that the host lacks is taken for a broken backup',
  'names-of-roles attached into': 'what only a superuser may create is refused as a whole, instead of being made by the administrator',
  'no-columns-many-columns shared into dedicated':
    'default privileges of the tenant without a schema are not made in the dedicated copy: functions made afterwards are open to everybody',
  'no-columns-many-columns shared migrate':
    'default privileges of the tenant without a schema are not made in the dedicated copy: functions made afterwards are open to everybody',
  'not-valid shared into dedicated':
    'default privileges of the tenant without a schema are not made in the dedicated copy: functions made afterwards are open to everybody',
  'not-valid shared migrate':
    'default privileges of the tenant without a schema are not made in the dedicated copy: functions made afterwards are open to everybody',
  'own-objects-in-extension attached by hand': 'functions, views and types that were put into an extension are lost and named nowhere',
  'own-objects-in-extension attached into': 'functions, views and types that were put into an extension are lost and named nowhere',
  'own-objects-in-extension attached to': 'functions, views and types that were put into an extension are lost and named nowhere',
  'own-objects-in-extension attached verify': 'functions, views and types that were put into an extension are lost and named nowhere',
  'publications-and-subscription attached into':
    'what only a superuser may create is refused as a whole, instead of being made by the administrator',
  'quote-all-identifiers dedicated by hand':
    'settings of the database are neither restored nor named: they are in no answer and not in `flux backup show`',
  'quote-all-identifiers dedicated in place': 'our sessions take quote_all_identifiers from the database, so every name is compared quoted',
  'quote-all-identifiers dedicated into': 'our sessions take quote_all_identifiers from the database, so every name is compared quoted',
  'quote-all-identifiers dedicated to':
    'settings of the database are neither restored nor named: they are in no answer and not in `flux backup show`',
  'quote-all-identifiers dedicated verify': 'our sessions take quote_all_identifiers from the database, so every name is compared quoted',
  'rights-handed-on attached into': 'what only a superuser may create is refused as a whole, instead of being made by the administrator',
  'role-settings attached by hand': 'settings, memberships and limits of roles are named nowhere',
  'role-settings attached into': 'settings, memberships and limits of roles are named nowhere',
  'role-settings attached to': 'settings, memberships and limits of roles are named nowhere',
  'secret-in-an-error attached into': 'what only a superuser may create is refused as a whole, instead of being made by the administrator',
  'settings-by-owner attached by hand':
    'settings of the database are neither restored nor named: they are in no answer and not in `flux backup show`',
  'settings-by-owner attached into':
    'settings of the database are neither restored nor named: they are in no answer and not in `flux backup show`',
  'settings-by-owner attached to':
    'settings of the database are neither restored nor named: they are in no answer and not in `flux backup show`',
  'settings-of-the-database attached by hand':
    'settings of the database are neither restored nor named: they are in no answer and not in `flux backup show`',
  'settings-of-the-database attached into':
    'settings of the database are neither restored nor named: they are in no answer and not in `flux backup show`',
  'settings-of-the-database attached to':
    'settings of the database are neither restored nor named: they are in no answer and not in `flux backup show`',
  'sql-ascii attached by hand': 'a comment that is no UTF-8 stops the backup',
  'sql-ascii attached into': 'a comment that is no UTF-8 stops the backup',
  'sql-ascii attached to': 'a comment that is no UTF-8 stops the backup',
  'sql-ascii attached verify': 'a comment that is no UTF-8 stops the backup',
  'tablespace attached into': 'a tablespace that is left out is named nowhere',
  'tablespace attached to': 'a tablespace that is left out is named nowhere',
  'tablespace attached verify': 'a tablespace that is left out is named nowhere',
};
