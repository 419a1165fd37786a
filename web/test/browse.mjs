// Opens every page of a running dashboard in a headless Chromium: light and dark, wide and narrow. Keeps pictures, and says as JSON
// what it found; whoever runs it judges. What would be wrong in any case (an error in the console, a request to elsewhere) is listed; so is
// each pattern (a regular expression) that is not seen among the findings of the Overview within a minute.
//
//     node test/browse.mjs http://127.0.0.1:9640 DIRECTORY [PATTERN…]

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { VIEWS, inspect, launch, watch } from './window.mjs';

const [origin, directory, ...patterns] = process.argv.slice(2);
if (!origin || !directory) throw new Error('usage: browse.mjs ORIGIN DIRECTORY [PATTERN…]');
/** How long what is wrong on purpose may stay unseen. */
const FOUND_MS = 60_000;
mkdirSync(directory, { recursive: true });

const PATHS = { overview: '', queries: 'queries', query: null, recommendations: 'recommendations', cache: 'cache', pools: 'pools', nodes: 'nodes', sessions: 'sessions', history: 'history/5m', alerts: 'alerts', setup: 'setup' };

const wrong = [];
const pages = {};
const browser = await launch();

// A finding may come and go with the load: each has to be seen once, not all of them at one moment.
async function lookForFindings(page, where) {
  const missing = new Set(patterns);
  const deadline = Date.now() + FOUND_MS;
  let last = '';
  while (missing.size > 0 && Date.now() < deadline) {
    last = await page.locator('.findings').innerText();
    for (const pattern of [...missing]) if (new RegExp(pattern, 'i').test(last)) missing.delete(pattern);
    if (missing.size > 0) await page.waitForTimeout(250);
  }
  for (const pattern of missing) wrong.push(`${where}: not found within a minute: ${pattern}; what was found last: ${last || 'nothing'}`);
}

for (const view of VIEWS) {
  const context = await browser.newContext({ viewport: view.viewport, colorScheme: view.colorScheme });
  const page = await context.newPage();
  let where = view.name;
  watch(page, origin, wrong, () => where);
  await page.goto(`${origin}/admin/performance`);
  await page.waitForSelector('.state.live', { timeout: 30_000 });
  const first = page.locator('.top a[href^="#/queries/"]').first();
  await first.waitFor({ timeout: 30_000 });
  const detail = await first.getAttribute('href');
  if (view === VIEWS[0]) await lookForFindings(page, where);
  for (const [name, path] of Object.entries(PATHS)) {
    where = `${name}-${view.name}`;
    const hash = path === null ? detail : `#/${path}`;
    await page.goto(`${origin}/admin/performance${hash}`);
    // More than a second of live data.
    await page.waitForTimeout(1_300);
    const text = await page.locator('main').innerText();
    await inspect(page, wrong, where);
    if (text.trim().length < 40) wrong.push(`${where}: there is nothing on it: ${text}`);
    pages[where] = text;
    await page.screenshot({ path: join(directory, `${where}.png`), fullPage: true });
  }
  await context.close();
}

// What a keyboard does, and the tables behind charts.
const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, colorScheme: 'light' });
const page = await context.newPage();
watch(page, origin, wrong, () => 'keyboard');
await page.goto(`${origin}/admin/performance`);
await page.waitForSelector('.state.live');
const buttons = page.getByRole('button', { name: 'Table' });
const charts = await buttons.count();
if (charts < 4) wrong.push(`keyboard: ${charts} charts`);
for (let at = 0; at < charts; at += 1) await page.locator('.chart header button').nth(at).press('Enter');
await page.waitForTimeout(1_500);
const tables = await page.locator('.chart-table tbody tr').count();
if (tables < charts) wrong.push(`keyboard: ${tables} rows in the tables of ${charts} charts`);
await page.locator('body').press('2');
await page.waitForSelector('h1:has-text("Queries")');
await page.locator('body').press('/');
await page.keyboard.type('select');
await page.waitForTimeout(500);
if ((await page.locator('tbody tr').count()) === 0) wrong.push('keyboard: the filter leaves nothing');
await page.keyboard.press('Escape');
await page.locator('body').press('t');
if ((await page.evaluate(() => document.documentElement.dataset.theme)) !== 'light') wrong.push('keyboard: t does not turn the theme');
await context.close();
await browser.close();
console.log(JSON.stringify({ wrong, pages }));
