import type { Reporter, TestCase, TestModule } from 'vitest/node';

/** Lists, at the end of a run, the tests that this host could not run, by reason: a skipped test must not look like a passed one. */
export default class LeftOut implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const byReason = new Map<string, string[]>();
    for (const module of modules)
      for (const test of module.children.allTests('skipped')) {
        const reason = reasonOf(test);
        if (reason === undefined) continue;
        const name = `${module.relativeModuleId} > ${test.fullName}`;
        byReason.set(reason, [...(byReason.get(reason) ?? []), name]);
      }
    for (const [reason, names] of byReason)
      process.stdout.write(
        `\nLeft out, because ${reason}: ${names.length === 1 ? '1 test' : `${names.length} tests`}:\n${names.map((name) => `  ${name}\n`).join('')}`,
      );
  }
}

/** What the test says, or a group around it. */
function reasonOf(test: TestCase): string | undefined {
  for (let at: TestCase | TestCase['parent'] = test; at.type !== 'module'; at = at.parent) {
    const { leftOut } = at.meta();
    if (leftOut !== undefined) return leftOut;
  }
  return undefined;
}
