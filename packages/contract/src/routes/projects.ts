import * as z from 'zod';
import { DoctorAnswer, Finding } from '../doctor.ts';
import { ENDPOINTS } from '../endpoints.ts';
import { EnableExtensionAnswer, EnableExtensionRequest, ExtensionList } from '../extension.ts';
import { GateAnswer, GateQuestion } from '../gate.ts';
import * as migrate from '../migrate.ts';
import { PageQuery } from '../page.ts';
import * as project from '../project.ts';
import { QuotaAnswer, QuotaRequest } from '../quota.ts';
import type { Route } from '../route.ts';
import { projectParams, started } from './parts.ts';

const projectAnswer = z.object({ project: project.ProjectSummary });
/** With what a look at an attached database found. */
const lookedAtAnswer = projectAnswer.extend({ findings: z.array(Finding).optional() });

/** Routes of projects. */
export const PROJECT_ROUTES = {
  listProjects: {
    ...ENDPOINTS.listProjects,
    summary: 'List projects by slug; removed projects, most recently removed first',
    access: 'project.list',
    query: project.ListProjectsQuery,
    answer: project.ProjectList,
    status: 200,
  },
  createProject: {
    ...ENDPOINTS.createProject,
    summary: 'Create or attach a project',
    access: 'project.create',
    body: project.CreateProjectRequest,
    answer: lookedAtAnswer,
    status: 201,
  },
  linkProject: {
    ...ENDPOINTS.linkProject,
    summary: 'Find a project by name, or create it',
    access: 'project.link',
    body: project.LinkRequest,
    answer: project.LinkAnswer,
    status: 200,
  },
  showProject: {
    ...ENDPOINTS.showProject,
    summary: 'Show a project',
    access: 'project.read',
    ...projectParams,
    answer: project.ProjectAnswer,
    status: 200,
  },
  attachProject: {
    ...ENDPOINTS.attachProject,
    summary: 'Replace the URI of an attached project, or which part of its database is backed up',
    access: 'project.attach',
    ...projectParams,
    body: project.AttachRequest,
    answer: lookedAtAnswer,
    status: 200,
  },
  setProject: {
    ...ENDPOINTS.setProject,
    summary: 'Change the settings of a project',
    access: 'project.configure',
    ...projectParams,
    body: project.SetProjectRequest,
    answer: project.ProjectAnswer,
    status: 200,
  },
  getQuota: {
    ...ENDPOINTS.getQuota,
    summary: 'Show what a project may use, and what it uses',
    access: 'project.read',
    ...projectParams,
    answer: QuotaAnswer,
    status: 200,
  },
  setQuota: {
    ...ENDPOINTS.setQuota,
    summary: 'Change what a project may use',
    access: 'project.quota',
    ...projectParams,
    body: QuotaRequest,
    answer: QuotaAnswer,
    status: 200,
  },
  startProject: {
    ...ENDPOINTS.startProject,
    summary: 'Start the instance of a dedicated project',
    access: 'project.power',
    ...projectParams,
    answer: projectAnswer,
    status: 200,
  },
  stopProject: {
    ...ENDPOINTS.stopProject,
    summary: 'Stop the instance of a dedicated project',
    access: 'project.power',
    ...projectParams,
    answer: projectAnswer,
    status: 200,
  },
  getCredentials: {
    ...ENDPOINTS.getCredentials,
    summary: 'Connection strings and keys of a project',
    access: 'project.credentials',
    ...projectParams,
    answer: project.CredentialsAnswer,
    status: 200,
  },
  examineProject: {
    ...ENDPOINTS.examineProject,
    summary: 'Check what would prevent a restore of a project today',
    access: 'project.read',
    ...projectParams,
    answer: DoctorAnswer,
    status: 200,
  },
  askGate: {
    ...ENDPOINTS.askGate,
    summary: 'Whether the gate would allow a destructive action now, and why; grants nothing',
    access: 'project.read',
    ...projectParams,
    query: GateQuestion,
    answer: GateAnswer,
    status: 200,
  },
  push: {
    ...ENDPOINTS.push,
    // A SQL file is sent whole; larger data should be loaded with pg_restore.
    maxBodyBytes: 128 * 2 ** 20,
    summary: 'Run SQL in one transaction',
    access: 'project.push',
    ...projectParams,
    body: project.PushRequest,
    answer: project.PushAnswer,
    status: 200,
  },
  listMigrations: {
    ...ENDPOINTS.listMigrations,
    summary: 'List the applied migrations',
    access: 'project.read',
    ...projectParams,
    query: PageQuery,
    answer: project.MigrationList,
    status: 200,
  },
  listExtensions: {
    ...ENDPOINTS.listExtensions,
    summary: 'List the extensions that the server of a project has, and who may enable them',
    access: 'project.read',
    ...projectParams,
    answer: ExtensionList,
    status: 200,
  },
  enableExtension: {
    ...ENDPOINTS.enableExtension,
    summary: 'Create an extension for a project; one that Postgres does not call trusted needs an admin token',
    access: 'project.extensions',
    ...projectParams,
    body: EnableExtensionRequest,
    answer: EnableExtensionAnswer,
    status: 200,
  },
  planMigration: {
    ...ENDPOINTS.planMigration,
    summary: 'Plan the move of a pooled project to its own Postgres server, with everything that blocks it; changes nothing',
    access: 'project.migrate',
    ...projectParams,
    body: migrate.PlanMigrationRequest,
    answer: migrate.MigrateAnswer,
    status: 200,
  },
  migrate: {
    ...ENDPOINTS.migrate,
    summary: 'Move a pooled project to its own Postgres server',
    access: 'project.migrate',
    ...projectParams,
    body: migrate.MigrateRequest,
    ...started,
  },
  resetProject: {
    ...ENDPOINTS.resetProject,
    summary: 'Empty a project; the old data is kept for an undo',
    access: 'project.reset',
    ...projectParams,
    body: project.DestroyRequest,
    ...started,
  },
  undoRestore: {
    ...ENDPOINTS.undoRestore,
    summary: 'Undo the newest restore in place or reset',
    access: 'project.restore',
    ...projectParams,
    ...started,
  },
  nukeProject: {
    ...ENDPOINTS.nukeProject,
    summary: 'Remove a project; its backups are kept',
    access: 'project.nuke',
    ...projectParams,
    body: project.DestroyRequest,
    ...started,
  },
} as const satisfies Record<string, Route>;
