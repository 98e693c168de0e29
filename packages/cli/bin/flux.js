#!/usr/bin/env node
// Starts `flux`: the built bundle when there is one, else the TypeScript sources (Node 22.18 and later run them as they are).
// CommonJS, because Node sets its loader of ES modules up only when one is imported, which takes as long as starting at all.
const fs = require('node:fs');
const path = require('node:path');

const [first, ...others] = process.argv.slice(2);
const bundle = path.join(__dirname, '../dist/flux.js');
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);

if (others.length === 0 && (first === '--version' || first === '-V')) {
  // Scripts ask for it all the time. `flux version` asks the control plane as well.
  process.stdout.write(`${JSON.parse(fs.readFileSync(path.join(__dirname, '../package.json'), 'utf8')).version}\n`);
} else if (fs.existsSync(bundle)) {
  void import(bundle);
} else if (major > 22 || (major === 22 && minor >= 18)) {
  void import('../src/main.ts');
} else {
  process.stderr.write(
    `flux: this checkout has not been built, and Node ${process.versions.node} cannot run its sources (22.18 and later can).\n` +
      'Build it first, in the folder of the checkout: npm run build\n',
  );
  process.exitCode = 1;
}
