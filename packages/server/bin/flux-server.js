#!/usr/bin/env node
// Runs the built server when there is one, else the sources, which Node reads by itself. Both begin with src/start.js.
import { existsSync } from 'node:fs';

const built = new URL('../dist/flux-server.js', import.meta.url);
await import(existsSync(built) && process.env.NODE_ENV !== 'development' ? built.href : '../src/start.js');
