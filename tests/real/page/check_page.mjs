// The status page in a real Chromium: a job moves on it by itself, hostile names stay text, nothing leaves the server,
// it can be used with a keyboard, by a screen reader, without JavaScript, and when the exporter comes back.
// Limit: 240 s

import assert from 'node:assert/strict';
import { isAccessible, isClean, launch, open } from './browser.mjs';
import { cloud, start, stop, stopAll, until } from './fleet.mjs';

const binary = process.env.BIN ?? process.argv[2];
const port = 20_000 + (process.pid % 10_000);
const origin = `http://127.0.0.1:${port}`;

const stages = (executing) => [{ status: 'PREPARING', lasts: '1s' }, { status: 'EXECUTING', lasts: executing }];
const HOSTILE = [
  '<script>window.taken = 1</script>',
  '"><img src=x onerror="window.taken = 1">',
  "'; window.taken = 1; '",
  '</bdi></td></tr></table><h1>taken</h1>',
  '\u202eright to left\u202d \u05d0\u05d1\u05d2',
  'a'.repeat(10_000),
  '&lt;script&gt; &amp; {{x}} ${x} %3Cscript%3E',
];
const jobs = [
  { name: 'moving', id: 'bt1jobmoving00000000', operation_id: 'bt1opmoving000000000', start: '0s', timeline: stages('50s'), progress: { every: '500ms' } },
  { name: 'steady', id: 'bt1jobsteady00000000', operation_id: 'bt1opsteady000000000', start: '-2h', timeline: [{ status: 'EXECUTING' }], progress: { every: '10m', over: '10h' } },
  { name: 'crashed', id: 'bt1jobcrashed0000000', operation_id: 'bt1opcrashed00000000', start: '-1h', timeline: stages('10m'), end: { return_code: 137 } },
  { name: 'refused', id: 'bt1jobrefused0000000', operation_id: 'bt1oprefused00000000', start: '-1h', timeline: stages('10m'), end: { error: { code: 'INTERNAL', message: '<b>lost</b> "machine"' } } },
  ...HOSTILE.map((name, number) => ({ name, id: `bt1jobhostile${number}`, operation_id: `bt1ophostile${number}`, start: '-1h', timeline: [{ status: 'EXECUTING' }], created_by: 'ajesomebody' })),
];
const project = { name: '<i>project</i>', id: 'bt1projectofthecheck', unit_balance: 5_000 };

const config = await cloud(binary, project, jobs, port);
const serve = () => start(binary, ['serve', '--config.file', config], /listening|ready|serving|started|level=info/i);
let exporter = await serve();
const rows = async () => (await (await fetch(`${origin}/api/v1/operations?limit=500`)).json()).operations;
await until('all jobs are seen', async () => (await rows()).filter(({ observed }) => observed).length >= jobs.length);

const browser = await launch();
const checks = [itMoves, namesStayText, focusAndSelectionStay, theKeyboardReachesAll, screenReaders, theAddressSaysIt, withoutJavaScript, itPauses, itComesBack, itEndsByItself];
try {
  for (const check of checks) {
    const since = Date.now();
    await check();
    console.log(`ok ${check.name} ${((Date.now() - since) / 1000).toFixed(1)} s`);
  }
} finally {
  await browser.close();
  stopAll();
}

// How far the moving job is on a page; NaN while that does not show.
function percent(page) {
  return page.evaluate(() => {
    const row = [...document.querySelectorAll('#live tbody tr')].find((row) => row.querySelector('bdi').textContent === 'moving');
    return Number(row?.querySelector('progress')?.value);
  });
}

async function itMoves() {
  const tab = await open(browser, origin);
  await tab.page.evaluate(() => { window.isTheSame = true; });
  await until('progress shows', async () => (await percent(tab.page)) >= 0);
  const before = await percent(tab.page);
  await until('the job moved twice', async () => (await percent(tab.page)) > before + 4);
  assert.equal(await tab.page.evaluate(() => window.isTheSame), true, 'without a new page');
  assert.equal(await tab.page.textContent('#connection'), 'Live');
  assert.match(await tab.page.title(), /\d+ live.* · datasphere-exporter/);
  const asked = tab.asked.filter(({ type }) => type === 'xhr').map(({ at }) => at);
  for (const [place, at] of asked.slice(1).entries()) assert.ok(at - asked[place] > 900, 'at most once a second');
  isClean(tab, origin);
  await tab.close();
}

async function namesStayText() {
  for (const path of ['/', '/operations/bt1ophostile0', '/operations/bt1oprefused00000000', `/?q=${encodeURIComponent(HOSTILE[1])}`]) {
    const tab = await open(browser, origin + path);
    await tab.page.waitForTimeout(1_500);
    const told = await tab.page.evaluate(() => ({
      taken: window.taken,
      scripts: document.scripts.length,
      images: document.images.length,
      headings: document.querySelectorAll('h1').length,
      bold: document.querySelectorAll('b, i').length,
      names: [...document.querySelectorAll('tbody th bdi:first-child')].map((name) => name.textContent),
      width: document.documentElement.scrollWidth,
    }));
    assert.deepEqual([told.taken, told.scripts, told.images, told.headings, told.bold], [undefined, 1, 0, 1, 0], path);
    if (path === '/') {
      for (const name of HOSTILE) {
        const kept = name.slice(0, 200);
        assert.ok(told.names.some((shown) => shown.startsWith(kept)), `as text: ${kept.slice(0, 40)}`);
      }
    }
    assert.ok(told.width <= 1440, `nothing is wider than the window: ${told.width}`);
    isClean(tab, origin);
    await tab.close();
  }
}

async function focusAndSelectionStay() {
  const tab = await open(browser, `${origin}/?state=live`, { viewport: { width: 1000, height: 400 } });
  await tab.page.evaluate(() => {
    const link = [...document.querySelectorAll('#live tbody th a')].find((link) => link.textContent === 'steady');
    link.focus();
    getSelection().selectAllChildren(link);
    document.getElementById('q').value = 'half typed';
    link.scrollIntoView();
    window.before = { y: scrollY, link };
  });
  const before = await percent(tab.page);
  await until('the page was drawn again', async () => (await percent(tab.page)) > before + 2);
  const kept = await tab.page.evaluate(() => ({
    focus: document.activeElement === window.before.link,
    selection: String(getSelection()),
    typed: document.getElementById('q').value,
    moved: Math.abs(scrollY - window.before.y),
  }));
  assert.deepEqual(kept, { focus: true, selection: 'steady', typed: 'half typed', moved: kept.moved });
  assert.ok(kept.moved < 60, `it stays where it was: ${kept.moved} px`);
  isClean(tab, origin);
  await tab.close();
}

async function theKeyboardReachesAll() {
  const tab = await open(browser, origin);
  const { page } = tab;
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.className), 'skip');
  const reached = [];
  for (let press = 0; press < 300; press += 1) {
    const here = await page.evaluate(() => {
      const { activeElement: element } = document;
      if (element === document.body) return null;
      const { outlineStyle, outlineWidth } = getComputedStyle(element);
      const box = element.getBoundingClientRect();
      return { name: element.id || element.textContent.trim().replace(/\s+/g, ' '), ring: outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2, seen: box.width > 0 && box.bottom > 0 && box.top < innerHeight };
    });
    if (!here) break;
    assert.ok(here.ring, `focus can be seen on ${here.name}`);
    assert.ok(here.seen, `${here.name} is in sight`);
    reached.push(here.name);
    await page.keyboard.press('Tab');
  }
  for (const name of ['pause', 'q', 'project', 'Show', 'steady', 'console of steady', 'runbook of crashed', 'Metrics']) {
    assert.ok(reached.includes(name), `${name} is reached: ${reached}`);
  }
  await page.reload();
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'main', 'the first link leads to the content');
  isClean(tab, origin);
  await tab.close();
}

async function screenReaders() {
  for (const colorScheme of ['light', 'dark']) {
    for (const width of [360, 1440, 2560]) {
      for (const path of ['/', '/operations/bt1opsteady000000000']) {
        const tab = await open(browser, origin + path, { colorScheme, viewport: { width, height: 900 } });
        await isAccessible(tab.page, `${path} ${colorScheme} ${width}`);
        const overflow = await tab.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(overflow <= 0, `${path} at ${width}: ${overflow} px too wide`);
        await tab.close();
      }
    }
  }
  const tab = await open(browser, origin, { reducedMotion: 'reduce' });
  const moving = await tab.page.evaluate(() => document.getAnimations().length);
  assert.equal(moving, 0, 'nothing moves for who does not want it');
  const spoken = await tab.page.getAttribute('#summary', 'aria-live');
  assert.equal(spoken, 'polite');
  await until('the summary is told', async () => /\d+ live/.test(await tab.page.textContent('#summary')));
  await tab.close();
}

async function theAddressSaysIt() {
  const tab = await open(browser, origin);
  await tab.page.fill('#q', 'STEAD');
  await tab.page.keyboard.press('Enter');
  await tab.page.waitForURL(/\?q=STEAD/);
  const names = () => tab.page.$$eval('tbody th[scope=row] a', (links) => links.map((link) => link.textContent));
  assert.ok((await names()).includes('steady') && !(await names()).includes('moving'));
  await tab.page.waitForTimeout(2_500);
  assert.ok(!(await names()).includes('moving'), 'what is put in later is filtered too');
  await tab.page.click('#counts a:has-text("live")');
  await tab.page.waitForURL(/state=live&q=STEAD/);
  assert.equal(await tab.page.inputValue('#q'), 'STEAD');
  await tab.page.goBack();
  await tab.page.waitForURL(/\?q=STEAD/);
  isClean(tab, origin);
  await tab.close();
}

async function withoutJavaScript() {
  const tab = await open(browser, origin, { javaScriptEnabled: false });
  const { page } = tab;
  assert.ok(await page.locator('tbody th a:has-text("steady")').first().isVisible());
  assert.ok(await page.locator('noscript p').isVisible());
  assert.ok(!(await page.locator('#pause').isVisible()), 'no button that does nothing');
  await page.fill('#q', 'crashed');
  await page.selectOption('#project', 'bt1projectofthecheck');
  await page.click('button:has-text("Show")');
  await page.waitForURL(/q=crashed&project=bt1projectofthecheck/);
  assert.ok(await page.locator('text=return code 137').isVisible());
  await page.click('tbody th a:has-text("crashed")');
  await page.waitForURL(/operations\/bt1opcrashed/);
  assert.ok(await page.locator('h2:has-text("crashed")').isVisible());
  isClean(tab, origin);
  await tab.close();
}

async function itPauses() {
  const tab = await open(browser, origin);
  const { page, asked } = tab;
  await page.click('#pause');
  await page.waitForTimeout(1_200);
  let count = asked.length;
  await page.waitForTimeout(3_000);
  assert.equal(asked.length, count, 'nothing is asked for while it is paused');
  assert.equal(await page.getAttribute('#pause', 'aria-pressed'), 'true');
  await page.click('#pause');
  await until('it goes on', async () => asked.length > count + 1);
  await page.evaluate(() => {
    Object.defineProperty(document, 'hidden', { get: () => true });
    document.dispatchEvent(new Event('visibilitychange'));
  });
  await page.waitForTimeout(1_200);
  count = asked.length;
  await page.waitForTimeout(3_000);
  assert.equal(asked.length, count, 'nor while nobody can see it');
  isClean(tab, origin);
  await tab.close();
}

async function itComesBack() {
  const tab = await open(browser, origin);
  await stop(exporter.child);
  await until('it says so', async () => /Reconnecting|Not answering/.test(await tab.page.textContent('#connection')));
  assert.ok((await tab.page.locator('tbody tr').count()) > 3, 'what was known stays');
  exporter = await serve();
  await until('it is live again', async () => (await tab.page.textContent('#connection')) === 'Live');
  isClean(tab, origin, (text) => /ERR_|Failed to load/.test(text));
  await tab.close();
}

async function itEndsByItself() {
  const tab = await open(browser, origin);
  await until('the job is among what ended', async () =>
    tab.page.evaluate(() => [...document.querySelectorAll('#ended tbody th')].some((head) => head.querySelector('bdi').textContent === 'moving')));
  isClean(tab, origin);
  await tab.close();
}
