#!/usr/bin/env node
// Runs the built server when there is one, else the sources, which Node reads by itself from 22.18 on.
import { existsSync } from 'node:fs';

const built = new URL('../dist/flux-server.js', import.meta.url);
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (existsSync(built) && process.env.NODE_ENV !== 'development') await import(built.href);
else if (major > 22 || (major === 22 && minor >= 18)) await import('../src/main.ts');
else {
  process.stderr.write(
    `flux-server needs Node 22.18 or newer; this is ${process.versions.node}.\nIn a checkout, \`npm start\` runs it with the right one.\n`,
  );
  process.exitCode = 1;
}
