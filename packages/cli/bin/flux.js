#!/usr/bin/env node
// Starts `flux`: the built bundle when there is one, else the TypeScript sources (Node 22.18 and later run them as they are).
import { existsSync } from 'node:fs';

const bundle = new URL('../dist/flux.js', import.meta.url);
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);

if (existsSync(bundle)) {
  await import(bundle.href);
} else if (major > 22 || (major === 22 && minor >= 18)) {
  await import(new URL('../src/main.ts', import.meta.url).href);
} else {
  process.stderr.write(
    `flux: this is a checkout that has not been built, and Node ${process.versions.node} cannot run its sources (22.18 or later can).\n` +
      'Build it first, in the folder of the checkout: npm run build\n',
  );
  process.exitCode = 1;
}
