// Ten thousand operations that change all the time: how long until the page is there, and what each new drawing costs.
// Limit: 300 s

import assert from 'node:assert/strict';
import { isClean, launch, open } from './browser.mjs';
import { start, stopAll, until } from './fleet.mjs';

const binary = process.env.BIN ?? process.argv[2];
const COUNT = Number(process.env.COUNT ?? 10_000);
const WATCHED_MS = 15_000;

const { found: port } = await start(
  binary,
  ['demo', '--jobs', String(COUNT), '--web.listen-address', '127.0.0.1:0', '--log.level', 'error'],
  /metrics: +http:\/\/localhost:(\d+)\/metrics/,
);
const origin = `http://127.0.0.1:${port}`;
const browser = await launch();
try {
  await until(`${COUNT} operations are watched`, async () => {
    const text = await (await fetch(`${origin}/metrics`)).text();
    const counts = [...text.matchAll(/^datasphere_exporter_tracked_operations\{.*\} (\d+)$/gm)];
    return counts.reduce((sum, [, count]) => sum + Number(count), 0) >= COUNT;
  });
  for (const path of ['/', '/?state=live&page=20', '/?q=experiment-09', '/?state=ended']) {
    const times = [];
    let bytes = 0;
    for (let time = 0; time < 15; time += 1) {
      const since = performance.now();
      bytes = (await (await fetch(origin + path)).arrayBuffer()).byteLength;
      times.push(performance.now() - since);
    }
    times.sort((a, b) => a - b);
    console.log(`${path}: answered in ${times[7].toFixed(1)} ms in the middle, ${times[14].toFixed(1)} ms at most, ${(bytes / 1000).toFixed(0)} kB`);
    assert.ok(times[7] < 1_000, 'a page is answered in less than a second');
  }
  for (const path of ['/', '/?state=live']) {
    const tab = await open(browser, origin + path);
    await tab.page.waitForTimeout(2_000);
    const paint = await tab.page.evaluate(() => performance.getEntriesByType('paint').find(({ name }) => name === 'first-contentful-paint').startTime);
    await tab.page.evaluate(() => {
      window.long = [];
      new PerformanceObserver((list) => window.long.push(...list.getEntries().map(({ duration }) => duration))).observe({ type: 'longtask' });
    });
    const from = tab.asked.length;
    await tab.page.waitForTimeout(WATCHED_MS);
    const drawn = tab.asked.slice(from).filter(({ type }) => type === 'xhr').length;
    const long = await tab.page.evaluate(() => window.long);
    const rows = await tab.page.locator('tbody tr').count();
    console.log(`${path}: first paint after ${paint.toFixed(0)} ms; ${rows} rows, drawn ${drawn} times in ${WATCHED_MS / 1000} s; ` +
      `${long.length} tasks above 50 ms, the longest ${Math.max(0, ...long).toFixed(0)} ms`);
    assert.ok(drawn > 2 && drawn <= WATCHED_MS / 1000 + 1, `at most once a second: ${drawn}`);
    isClean(tab, origin);
    await tab.close();
  }
} finally {
  await browser.close();
  stopAll();
}
