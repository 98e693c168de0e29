import type { CommandDefinition } from './command.ts';

/** One row of the table: the words that call a command, and its module. */
export interface CommandEntry {
  readonly words: readonly [string] | readonly [string, string];
  readonly summary: string;
  load(): Promise<{ readonly command: CommandDefinition }>;
}

/** The groups: first words that are not commands by themselves. */
export const GROUPS: Readonly<Record<string, string>> = {
  project: 'Show, set, start, stop or reset a project, and its credentials',
  operation: 'Watch, list or cancel long work',
  extension: 'The extensions of a project: list and enable',
  migrations: 'The migration ledger of a project',
  backup: 'Create, import, list, verify, download, restore, pin and delete backups',
  receipt: 'Check the signed receipts of verifications; show and rotate their keys',
  token: 'API tokens',
};

/** Other names of groups and commands, as people know them from elsewhere. */
export const ALIASES: Readonly<Record<string, string>> = { backup: 'backups', list: 'ls' };

/** Every command. A module is loaded only when its command is called. */
export const COMMANDS: readonly CommandEntry[] = [
  { words: ['login'], summary: 'Store a token for a control plane', load: () => import('./account/login.ts') },
  { words: ['logout'], summary: 'Forget the stored token', load: () => import('./account/logout.ts') },
  { words: ['whoami'], summary: 'Show the user, the token and the control plane', load: () => import('./account/whoami.ts') },
  { words: ['create'], summary: 'Create a project, or attach a database', load: () => import('./project/create.ts') },
  { words: ['init'], summary: 'Link this folder to a project (writes flux.json)', load: () => import('./project/init.ts') },
  { words: ['list'], summary: 'List projects', load: () => import('./project/list.ts') },
  { words: ['project', 'show'], summary: 'Show a project and what it supports', load: () => import('./project/show.ts') },
  { words: ['project', 'credentials'], summary: 'Show how to connect to Postgres', load: () => import('./project/credentials.ts') },
  {
    words: ['project', 'attach'],
    summary: 'Replace the URI of an attached project, or what of it is backed up',
    load: () => import('./project/attach.ts'),
  },
  { words: ['project', 'quota'], summary: 'Show or change what a project may use', load: () => import('./project/quota.ts') },
  { words: ['project', 'set'], summary: 'Change a setting of a project', load: () => import('./project/set.ts') },
  {
    words: ['project', 'start'],
    summary: 'Start the Postgres of a project',
    load: async () => ({ command: (await import('./project/instance.ts')).start }),
  },
  {
    words: ['project', 'stop'],
    summary: 'Stop the Postgres of a project',
    load: async () => ({ command: (await import('./project/instance.ts')).stop }),
  },
  {
    words: ['project', 'reset'],
    summary: 'Empty a project; the old data is kept for an undo',
    load: () => import('./project/reset.ts'),
  },
  { words: ['push'], summary: 'Run SQL files or migrations', load: () => import('./push/push.ts') },
  { words: ['migrations', 'list'], summary: 'List the migrations that were applied', load: () => import('./push/migrations-list.ts') },
  { words: ['extension', 'list'], summary: 'List extensions, and who may enable them', load: () => import('./extension/list.ts') },
  { words: ['extension', 'enable'], summary: 'Enable an extension for a project', load: () => import('./extension/enable.ts') },
  { words: ['migrate'], summary: 'Move a pooled project to its own Postgres server', load: () => import('./migrate/migrate.ts') },
  { words: ['nuke'], summary: 'Remove a project; its backups are kept', load: () => import('./project/nuke.ts') },
  { words: ['backup', 'create'], summary: 'Create a backup', load: () => import('./backup/create.ts') },
  { words: ['backup', 'import'], summary: 'Import an archive of pg_dump as a backup', load: () => import('./backup/import.ts') },
  { words: ['backup', 'list'], summary: 'List backups and what they allow', load: () => import('./backup/list.ts') },
  { words: ['backup', 'show'], summary: 'Show one backup with its verifications', load: () => import('./backup/show.ts') },
  { words: ['backup', 'verify'], summary: 'Verify a backup by restoring it', load: () => import('./backup/verify.ts') },
  { words: ['backup', 'download'], summary: 'Download the artifact of a backup', load: () => import('./backup/download.ts') },
  { words: ['backup', 'restore'], summary: 'Restore a backup', load: () => import('./backup/restore.ts') },
  { words: ['backup', 'delete'], summary: 'Delete the file of a backup', load: () => import('./backup/delete.ts') },
  {
    words: ['backup', 'pin'],
    summary: 'Keep a backup regardless of the retention policy',
    load: async () => ({ command: (await import('./backup/pin.ts')).pin }),
  },
  {
    words: ['backup', 'unpin'],
    summary: 'Let the retention policy decide about a backup again',
    load: async () => ({ command: (await import('./backup/pin.ts')).unpin }),
  },
  { words: ['backup', 'receipt'], summary: 'Print the signed receipt of a verification', load: () => import('./backup/receipt.ts') },
  { words: ['operation', 'list'], summary: 'List operations, newest first', load: () => import('./operations/list.ts') },
  { words: ['operation', 'watch'], summary: 'Watch an operation until it ends', load: () => import('./operations/watch.ts') },
  { words: ['operation', 'cancel'], summary: 'Cancel an operation', load: () => import('./operations/cancel.ts') },
  { words: ['receipt', 'check'], summary: 'Check a receipt without the control plane', load: () => import('./receipt/check.ts') },
  { words: ['receipt', 'keys'], summary: 'Print the public keys of receipts', load: () => import('./receipt/keys.ts') },
  { words: ['receipt', 'rotate-key'], summary: 'Sign receipts with a new key', load: () => import('./receipt/rotate-key.ts') },
  { words: ['token', 'create'], summary: 'Create a token', load: () => import('./token/create.ts') },
  { words: ['token', 'list'], summary: 'List tokens', load: () => import('./token/list.ts') },
  { words: ['token', 'revoke'], summary: 'Revoke a token', load: () => import('./token/revoke.ts') },
  { words: ['audit'], summary: 'Show the audit log, newest first', load: () => import('./server/audit.ts') },
  { words: ['doctor'], summary: 'Check what would prevent a restore today', load: () => import('./server/doctor.ts') },
  { words: ['completion'], summary: 'Print a completion script for bash, zsh or fish', load: () => import('./completion/completion.ts') },
  { words: ['version'], summary: 'Print the versions of flux and of the control plane', load: () => import('./server/version.ts') },
];
