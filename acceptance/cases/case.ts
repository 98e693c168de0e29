/** Where a case is tried: a dedicated project, a tenant of the pool, a database that Flux does not run. */
export type Engine = 'dedicated' | 'shared' | 'attached';

/** A way back of a backup; `verify` is what has to be said before any of them. */
export type Way = 'verify' | 'by hand' | 'to' | 'into' | 'into dedicated' | 'in place' | 'migrate';

/** The ways back that each engine has, in the order in which they are tried: those that change the project itself come last. */
export const WAYS: Readonly<Record<Engine, readonly Way[]>> = {
  dedicated: ['verify', 'by hand', 'to', 'into', 'in place'],
  shared: ['verify', 'by hand', 'to', 'into', 'into dedicated', 'in place', 'migrate'],
  attached: ['verify', 'by hand', 'to', 'into'],
};

/**
 * A database that somebody has, and what is right to say of its backup. Without more, a case is Restorable, says that nothing differs,
 * and comes back equal by every way.
 */
export interface Case {
  /** `inputs/<input>.sql` */
  readonly input: string;
  readonly on: readonly Engine[];
  /** What only the operator can do first, as superuser, in the database. */
  readonly before?: string;
  /** What is done last as superuser, each line a statement of its own. */
  readonly after?: string;
  /** Run by the superuser instead of pushed; on a database that Flux does not run this is always so. */
  readonly asSuperuser?: true;
  /** Options of `create database`, where Flux does not run it. */
  readonly database?: string;
  /** The verdict, when it is not `restorable`. Nothing is restored then. */
  readonly verdict?: 'failed' | 'inconclusive';
  /** What create, verify or show have to say. Things may be named as not compared or not coming back then. */
  readonly says?: readonly RegExp[];
  /** Ways on which something does not come back, but is named by this: in the answer of the way, or by verify and show before. */
  readonly names?: Partial<Record<Way, RegExp>>;
  /** Ways that are refused for a reason that lies in Postgres itself, and the words of the refusal. */
  readonly refused?: Partial<Record<Way, RegExp>>;
  /** Needs these extensions on the host; the case is left out, and listed as such, where they are not. */
  readonly needs?: readonly string[];
  /** The last major of Postgres whose server takes such a source. */
  readonly until?: number;
}
