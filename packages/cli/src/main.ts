import { VERSION } from './version.ts';

const [first, ...others] = process.argv.slice(2);

// Scripts ask for the version all the time: it is answered before anything else is loaded.
if (others.length === 0 && (first === '--version' || first === '-V')) {
  process.stdout.write(`${VERSION}\n`);
} else {
  const { runFlux } = await import('./run.ts');
  process.exitCode = await runFlux(process.argv.slice(2));
}
