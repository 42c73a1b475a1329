// Draws dashboards into pictures: bundles the page, opens it in a headless Chromium and photographs it.
//
// node draw.mjs --prometheus URL [--minutes 20] [--theme dark] [--folder pictures] [--width 1600] [FILE...]

import { mkdir, mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { chromium } from 'playwright-core';

const HERE = dirname(fileURLToPath(import.meta.url));
const PACKAGES = ['data', 'schema', 'ui'];
// Scrapes of draw.sh are this far apart; Grafana would know it from its data source.
const SCRAPE_SECONDS = 5;
// A picture is taken when nothing has changed for so long.
const STILL_MILLISECONDS = 1500;

const { values: told, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    prometheus: { type: 'string' },
    minutes: { type: 'string', default: '20' },
    theme: { type: 'string', default: 'dark' },
    folder: { type: 'string', default: join(HERE, 'pictures') },
    width: { type: 'string', default: '1600' },
    chromium: { type: 'string', default: '/usr/bin/chromium' },
  },
});

const server = await serve(await bundle());
const profile = await mkdtemp(join(tmpdir(), 'preview-'));
const browser = await chromium.launchPersistentContext(profile, {
  executablePath: told.chromium,
  viewport: { width: Number(told.width), height: 1000 },
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run'],
});
try {
  await mkdir(told.folder, { recursive: true });
  const files = positionals.length > 0 ? positionals : await committed();
  for (const file of files) await photograph(file);
} finally {
  await browser.close();
  server.close();
  await rm(profile, { recursive: true, force: true });
}

async function committed() {
  const folder = join(HERE, '..');
  const names = (await readdir(folder)).filter((name) => name.endsWith('.json')).sort();
  return names.map((name) => join(folder, name));
}

async function photograph(file) {
  const dashboard = JSON.parse(await readFile(file, 'utf8'));
  const page = await browser.newPage();
  const complaints = [];
  page.on('pageerror', (error) => complaints.push(error.stack ?? String(error)));
  page.on('response', (answer) => answer.status() >= 400 && !answer.url().includes('/fonts/') && complaints.push(`${answer.status()}: ${answer.url()}`));
  page.on('console', (message) => message.type() === 'error' && !message.text().startsWith('Failed to load resource') && complaints.push(message.text()));
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
  const to = Date.now() - 5000;
  const from = to - Number(told.minutes) * 60_000;
  const request = { dashboard, prometheus: told.prometheus, from, to, theme: told.theme, scrapeSeconds: SCRAPE_SECONDS };
  const result = await page.evaluate((request) => window.draw(request), { ...request, choices: await choices(dashboard) });
  await page.waitForTimeout(STILL_MILLISECONDS);
  const picture = join(told.folder, `${basename(file, '.json')}.png`);
  await page.locator('#page').screenshot({ path: picture });
  await page.close();
  const empty = result.empty.length > 0 ? `; without data: ${result.empty.join(', ')}` : '';
  console.log(`${picture}: ${result.drawn} panels with data${empty}`);
  for (const complaint of new Set(complaints)) console.log(`  ${complaint.slice(0, 400)}`);
}

// A job that has run for long and whose name has succeeded meanwhile: the first in a list is seldom worth a picture.
async function choices(dashboard) {
  if (!dashboard.templating.list.some(({ name }) => name === 'job_id')) return {};
  const running = 'datasphere_job_progress_ratio > 0.3 < 0.95 and on (job_id) datasphere_job_status{status="EXECUTING"} == 1';
  const aged = `time() - datasphere_job_started_timestamp_seconds and on (job_id) (${running})`;
  const old = `(${aged}) * on (project_id, job_id) group_left (job_name) datasphere_job_info`;
  const query = `topk(1, (${old}) and on (project_id, job_name) (changes(datasphere_job_last_success_timestamp_seconds[1h]) > 0) and on (job_id) datasphere_job_time_in_status_seconds)`;
  const answer = await fetch(`${told.prometheus}/api/v1/query?${new URLSearchParams({ query })}`);
  const { data } = await answer.json();
  return data.result.length > 0 ? { job_id: [data.result[0].metric.job_id] } : {};
}

async function bundle() {
  const alias = Object.fromEntries(PACKAGES.map((name) => [`@grafana/${name}`, join(HERE, `node_modules/@grafana/${name}/dist/cjs/index.cjs`)]));
  const { outputFiles } = await build({
    entryPoints: [join(HERE, 'page/index.jsx')],
    bundle: true,
    write: false,
    outdir: '/',
    alias,
    jsx: 'automatic',
    define: { global: 'window', 'process.env.NODE_ENV': '"production"' },
    loader: { '.svg': 'text', '.png': 'dataurl', '.ttf': 'dataurl' },
    logLevel: 'error',
  });
  return Object.fromEntries(outputFiles.map(({ path, contents }) => [path, contents]));
}

// Icons and fonts where the components look for them.
function asset(url) {
  const icon = /^\/public(\/img\/icons\/[\w/-]+\.svg)$/.exec(url);
  if (icon) return join(HERE, 'node_modules/@grafana/ui/dist/public', icon[1]);
  const weight = { 'Inter-Regular': 400, 'Inter-Medium': 500 }[/^\/public\/fonts\/inter\/([\w-]+)\.woff2$/.exec(url)?.[1]];
  return weight && join(HERE, `node_modules/@fontsource/inter/files/inter-latin-${weight}-normal.woff2`);
}

async function serve(files) {
  const types = { js: 'text/javascript', css: 'text/css', svg: 'image/svg+xml', woff2: 'font/woff2' };
  const html = '<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="/index.css"><style>body{margin:0}#page{width:100%}</style><div id="page"></div><script src="/index.js"></script>';
  const server = createServer(async (request, response) => {
    const stored = asset(request.url);
    const file = stored ? await readFile(stored) : files[request.url];
    const type = types[request.url.split('.').pop()] ?? 'text/html';
    if (request.url === '/favicon.ico') return response.writeHead(204).end();
    if (request.url !== '/' && !file) return response.writeHead(404).end();
    response.writeHead(200, { 'content-type': `${type}; charset=utf-8` }).end(file ?? html);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}
