// Draws the pictures of the status page in docs/images/ from the demo's live data.
//
// node draw.mjs BINARY [FOLDER]: after install.sh, with TOOLS=target/real; pngquant makes them small, where it is there.

import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { launch, open } from './browser.mjs';
import { start, stopAll } from './fleet.mjs';

const [binary, folder = 'docs/images'] = process.argv.slice(2);
// Until some have ended in each way.
const GATHERED_MS = 75_000;

const PICTURES = [
  { name: 'page', colorScheme: 'light', viewport: { width: 1440, height: 960 } },
  { name: 'page-dark', colorScheme: 'dark', viewport: { width: 1440, height: 960 }, at: '#ended' },
  { name: 'page-phone', colorScheme: 'dark', viewport: { width: 360, height: 760 }, deviceScaleFactor: 2, at: '#live' },
  { name: 'page-wall', colorScheme: 'dark', viewport: { width: 2560, height: 1440 }, path: '/?state=live' },
  { name: 'page-operation', colorScheme: 'light', viewport: { width: 1440, height: 720 }, follow: 'segment-aerial-photos' },
];

const { found: port } = await start(
  binary,
  ['demo', '--web.listen-address', '127.0.0.1:0', '--log.level', 'error'],
  /metrics: +http:\/\/localhost:(\d+)\/metrics/,
);
await new Promise((resolve) => setTimeout(resolve, GATHERED_MS));
const browser = await launch();
mkdirSync(folder, { recursive: true });
try {
  for (const { name, path = '/', at, follow, ...options } of PICTURES) {
    const { page, close } = await open(browser, `http://127.0.0.1:${port}${path}`, options);
    if (follow) await page.click(`th a:has-text("${follow}")`);
    await page.waitForTimeout(2_500);
    if (at) await page.evaluate((at) => scrollTo(0, document.querySelector(at).offsetTop - 12), at);
    const file = join(folder, `${name}.png`);
    await page.screenshot({ path: file });
    spawnSync('pngquant', ['--force', '--strip', '--ext', '.png', '256', file]);
    console.log(file);
    await close();
  }
} finally {
  await browser.close();
  stopAll();
}
