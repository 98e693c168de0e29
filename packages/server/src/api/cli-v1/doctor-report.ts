import type { DoctorReport } from '@flux/contract/cli-v1/project';
import type { DoctorAnswer, Finding } from '@flux/contract/doctor';
import type { ProjectAnswer } from '@flux/contract/project';

const STATUSES = { danger: 'fail', warning: 'warn', fine: 'pass' } as const satisfies Record<Finding['severity'], string>;

/** Our findings as the report of checks that existing clients print; the findings themselves stay in it. */
export function toDoctorReport({ findings }: DoctorAnswer, { project }: ProjectAnswer, now: Date): DoctorReport {
  const checks = findings.map(({ severity, what, found, command }) => ({
    name: what,
    status: STATUSES[severity],
    detail: found,
    ...(command === null ? {} : { remediation: command }),
  }));
  const worst = (['fail', 'warn'] as const).find((status) => checks.some((check) => check.status === status));
  return {
    findings,
    projectSlug: project.slug,
    hash: project.hash,
    mode: project.mode,
    schema: project.apiSchema,
    checks,
    overallStatus: worst ?? 'pass',
    generatedAt: now.toISOString(),
  };
}
