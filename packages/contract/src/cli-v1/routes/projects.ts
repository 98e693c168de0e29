import * as z from 'zod';
import { DoctorAnswer } from '../../doctor.ts';
import { GateAnswer, GateQuestion } from '../../gate.ts';
import { MigrateAnswer } from '../../migrate.ts';
import * as project from '../../project.ts';
import * as restore from '../../restore.ts';
import type { Route } from '../../route.ts';
import * as migrate from '../migrate.ts';
import * as legacyProject from '../project.ts';

const hash = z.object({ hash: z.string() });
const startStop = z.object({ summary: legacyProject.ListedProject });

/** Routes of projects for existing clients. */
export const PROJECT_ROUTES = {
  listProjects: {
    method: 'GET',
    path: '/list',
    summary: 'List projects',
    access: 'project.list',
    query: legacyProject.ListQuery,
    answer: z.array(legacyProject.ListedProject),
    status: 200,
  },
  createProject: {
    method: 'POST',
    path: '/create',
    summary: 'Create or attach a project',
    access: 'project.create',
    body: legacyProject.CreateRequest,
    answer: legacyProject.CreateAnswer,
    status: 201,
  },
  initProject: {
    method: 'POST',
    path: '/init',
    summary: 'Link a folder to a project, creating it when needed',
    access: 'project.link',
    body: legacyProject.InitRequest,
    answer: legacyProject.InitAnswer,
    status: 200,
  },
  getProject: {
    method: 'GET',
    path: '/projects/:hash',
    summary: 'Show a project',
    access: 'project.read',
    params: hash,
    answer: legacyProject.ProjectAnswer,
    status: 200,
  },
  askGate: {
    method: 'GET',
    path: '/projects/:hash/gate',
    summary: 'Whether the gate would allow a destructive action now, and why; grants nothing',
    access: 'project.read',
    params: hash,
    query: GateQuestion,
    answer: GateAnswer,
    status: 200,
  },
  nukeProject: {
    method: 'DELETE',
    path: '/projects/:hash',
    summary: 'Remove a project; its backups are kept',
    access: 'project.nuke',
    params: hash,
    query: legacyProject.DestroyQuery,
    answer: legacyProject.RemoveAnswer,
    status: 200,
  },
  resetProject: {
    method: 'POST',
    path: '/projects/:hash/reset',
    summary: 'Empty a project; the old data is kept for an undo',
    access: 'project.reset',
    params: hash,
    body: project.DestroyRequest,
    answer: project.ResetAnswer,
    status: 200,
  },
  startProject: {
    method: 'POST',
    path: '/projects/:hash/start',
    summary: 'Start the instance of a dedicated project',
    access: 'project.power',
    params: hash,
    answer: startStop,
    status: 200,
  },
  stopProject: {
    method: 'POST',
    path: '/projects/:hash/stop',
    summary: 'Stop the instance of a dedicated project',
    access: 'project.power',
    params: hash,
    answer: startStop,
    status: 200,
  },
  getCredentials: {
    method: 'GET',
    path: '/projects/:hash/credentials',
    summary: 'Connection strings and keys of a project',
    access: 'project.credentials',
    params: hash,
    answer: legacyProject.Credentials,
    status: 200,
  },
  listMigrations: {
    method: 'GET',
    path: '/projects/:hash/migrations',
    summary: 'List the applied migrations',
    access: 'project.read',
    params: hash,
    answer: project.MigrationList.omit({ nextCursor: true }),
    status: 200,
  },
  push: {
    method: 'POST',
    path: '/push',
    // A SQL file is sent whole; larger data should be loaded with pg_restore.
    maxBodyBytes: 128 * 2 ** 20,
    summary: 'Run SQL in one transaction',
    access: 'project.push',
    body: legacyProject.LegacyPushRequest,
    answer: legacyProject.LegacyPushAnswer,
    status: 200,
  },
  undoRestore: {
    method: 'POST',
    path: '/projects/:hash/undo-restore',
    summary: 'Undo the newest restore in place or reset',
    access: 'project.restore',
    params: hash,
    answer: restore.RestoreAnswer,
    status: 200,
  },
  migrate: {
    method: 'POST',
    path: '/migrate',
    summary: 'Move a pooled project to its own Postgres server',
    access: 'project.migrate',
    body: migrate.LegacyMigrateRequest,
    answer: MigrateAnswer,
    status: 200,
  },
  examineProject: {
    method: 'GET',
    path: '/projects/:hash/doctor',
    summary: 'Check what would prevent a restore of a project today',
    access: 'project.read',
    params: hash,
    answer: DoctorAnswer,
    status: 200,
  },
} as const satisfies Record<string, Route>;
