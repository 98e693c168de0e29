// The first lines that run, from the sources and from the build. Plain JavaScript of an older Node, and without static imports: those
// would be loaded, and would fail in words of their own, before the first line.
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);

if (major > 22 || (major === 22 && minor >= 18)) await import('./main.ts');
else {
  process.stderr.write(
    `flux-server needs Node 22.18 or newer; this is ${process.versions.node} (${process.execPath}).\nStart it with a newer one. In a checkout, \`npm start\` runs it with the right one.\n`,
  );
  process.exitCode = 1;
}
