import type { Reporter, TestCase, TestModule, TestSuite } from 'vitest/node';

/** Lines of a message that are shown. */
const LINES = 12;

/**
 * Lists, at the end of a run, what failed and why, in a few lines each: in a long log, the last lines are those that are read. A hook that fails
 * after its tests have passed shows up nowhere else near the end.
 */
export default class Failures implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const failures = modules.flatMap((module) => [
      ...tell(module.relativeModuleId, module.errors()),
      ...[...module.children.allSuites()].flatMap((suite) => tell(nameOf(suite), suite.errors())),
      ...[...module.children.allTests('failed')].flatMap((test) => tell(nameOf(test), test.result().errors ?? [])),
    ]);
    if (failures.length > 0) process.stdout.write(`\nWhat failed:\n${failures.join('')}`);
  }
}

function nameOf(one: TestCase | TestSuite): string {
  return `${one.module.relativeModuleId} > ${one.fullName}`;
}

function tell(name: string, errors: readonly { readonly message: string; readonly stack?: string | undefined }[]): string[] {
  return errors.map(({ message, stack }) => {
    const where = /at .*/.exec(stack?.slice(stack.indexOf(message) + message.length) ?? '')?.[0] ?? '';
    const lines = [...message.split('\n').slice(0, LINES), where].filter((line) => line !== '');
    return `  ${name}\n${lines.map((line) => `    ${line}\n`).join('')}`;
  });
}
