// A real Chromium, and what it complains of.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

// Where install.sh has put what package.json names; elsewhere a plain `npm ci` beside this file.
const tools = process.env.TOOLS ? join(process.env.TOOLS, 'page', 'package.json') : import.meta.url;
const require = createRequire(tools);
const { chromium } = require('playwright-core');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

const QUIET = ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run'];

export async function launch() {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: QUIET });
}

// Opens a page that remembers each complaint of the browser and each address that it asked for.
export async function open(browser, url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
  const page = await context.newPage();
  const complaints = [];
  const asked = [];
  page.on('console', (message) => ['error', 'warning'].includes(message.type()) && complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(String(error.stack ?? error)));
  page.on('request', (request) => asked.push({ url: request.url(), type: request.resourceType(), at: Date.now() }));
  if (options.javaScriptEnabled !== false) {
    await page.addInitScript(() => {
      addEventListener('securitypolicyviolation', (event) => console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`));
    });
  }
  await page.goto(url);
  return { page, complaints, asked, close: () => context.close() };
}

// That nothing went elsewhere, and the browser is content.
export function isClean({ complaints, asked }, origin, forgiven = () => false) {
  const elsewhere = asked.filter(({ url }) => new URL(url).origin !== origin);
  assert.deepEqual(elsewhere, [], 'no request leaves the server');
  assert.deepEqual(complaints.filter((text) => !forgiven(text)), [], 'no error and no violation of the policy');
}

// What axe-core finds that is serious.
export async function isAccessible(page, words) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => axe.run(document, { resultTypes: ['violations'] }));
  const bad = violations.filter(({ impact }) => ['serious', 'critical', 'moderate'].includes(impact));
  const told = bad.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map(({ html, failureSummary }) => `${html} ${failureSummary}`).join(' | ')}`);
  assert.deepEqual(told, [], `axe-core finds nothing: ${words}`);
  return violations.length;
}
