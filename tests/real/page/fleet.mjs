// Starts the program: as a cloud with jobs of our own, as an exporter on it, or as the demo.

import { spawn } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const started = [];
const folder = mkdtempSync(join(tmpdir(), 'page-'));

export const PATIENCE_MS = 60_000;

// Starts the program and reads what it prints until something is in it.
export async function start(binary, args, pattern) {
  const child = spawn(binary, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: process.env.PATH } });
  started.push(child);
  let text = '';
  const found = new Promise((resolve, reject) => {
    const read = (piece) => {
      text = (text + piece).slice(-100_000);
      const match = pattern?.exec(text);
      if (match) resolve(match[1] ?? match[0]);
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    child.on('exit', (code) => reject(new Error(`${args[0]} ended with ${code}: ${text.slice(-2_000)}`)));
    setTimeout(() => reject(new Error(`${args[0]} did not say ${pattern}: ${text.slice(-2_000)}`)), PATIENCE_MS).unref();
  });
  return { child, found: await found };
}

export async function stop(child) {
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.removeAllListeners('exit');
  child.once('exit', () => {});
  child.kill('SIGTERM');
  await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 12_000).unref())]);
}

export function stopAll() {
  for (const child of started) {
    child.removeAllListeners('exit');
    child.kill('SIGKILL');
  }
}

// A cloud with one project of these jobs, and the configuration of an exporter on it.
export async function cloud(binary, project, jobs, port) {
  const scenario = { speed: 1, communities: [{ name: 'checks', id: 'bt1communityofchecks', projects: [{ ...project, jobs }] }] };
  const file = join(folder, 'scenario.yaml');
  writeFileSync(file, JSON.stringify(scenario));
  const { found: address } = await start(
    binary,
    ['simulate', '--listen-address', '127.0.0.1:0', '--scenario', file],
    /gRPC on ([0-9.:]+)/,
  );
  const config = {
    cloud: { endpoint: address, tls: { enabled: false }, auth: { anonymous: {} } },
    watch: {
      interval: '1s', interval_max: '1s', list_interval: '1s', sweep_interval: '2s', balance_interval: '5s',
      communities: ['bt1communityofchecks'],
      operations: jobs.filter((job) => job.operation_id).map(({ operation_id: id }) => ({ id })),
    },
    storage: { path: '' },
    web: { listen_address: `127.0.0.1:${port}` },
    links: { trace: 'https://tempo.example/trace/{trace_id}' },
  };
  const path = join(folder, 'config.yaml');
  writeFileSync(path, JSON.stringify(config));
  return path;
}

export async function until(what, holds) {
  const end = Date.now() + PATIENCE_MS;
  while (Date.now() < end) {
    if (await holds().catch(() => false)) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`never: ${what}`);
}
