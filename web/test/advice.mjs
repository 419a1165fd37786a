// The page of recommendations, with advice in its states: every view, and what a keyboard does. Says as JSON what it found; whoever runs it
// judges, and knows what is in the journal.
//
//     node test/advice.mjs http://127.0.0.1:9640 DIRECTORY

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { VIEWS, inspect, launch, watch } from './window.mjs';

const [origin, directory] = process.argv.slice(2);
if (!origin || !directory) throw new Error('usage: advice.mjs ORIGIN DIRECTORY');
mkdirSync(directory, { recursive: true });

const wrong = [];
const pages = {};
const browser = await launch();

async function open(options) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  return { context, page };
}

const text = (page) => page.locator('main').innerText();

for (const view of VIEWS) {
  const { context, page } = await open({ viewport: view.viewport, colorScheme: view.colorScheme });
  let where = view.name;
  watch(page, origin, wrong, () => where);
  for (const [name, path] of [['open', ''], ['done', '/done']]) {
    where = `advice-${name}-${view.name}`;
    await page.goto(`${origin}/admin/performance#/recommendations${path}`);
    await page.waitForSelector('.advice', { timeout: 30_000 });
    await inspect(page, wrong, where);
    pages[where] = await text(page);
    await page.screenshot({ path: join(directory, `${where}.png`), fullPage: true });
  }
  await context.close();
}

const { context, page } = await open({ viewport: { width: 1280, height: 900 }, colorScheme: 'light', permissions: ['clipboard-read', 'clipboard-write'] });
watch(page, origin, wrong, () => 'keyboard');
await page.goto(`${origin}/admin/performance`);
await page.waitForSelector('.state.live', { timeout: 30_000 });
await page.locator('body').press('3');
const card = page.locator('.advice').first();
await card.waitFor({ timeout: 30_000 });
const before = await page.locator('.advice').count();
await card.locator('[data-key^="c-"]').press('Enter');
pages.copied = await page.evaluate(() => navigator.clipboard.readText());
pages.folded = await card.innerText();
await card.locator('summary').first().press('Enter');
pages.unfolded = await card.innerText();
// The cards are asked for again meanwhile: what is unfolded stays so.
await page.waitForTimeout(6_000);
if ((await card.locator('details[open]').count()) !== 1) wrong.push('keyboard: the way back is folded again');
await card.locator('[data-key^="d-"]').press('Enter');
await page.keyboard.press('Tab');
await page.locator('#reason').fill('it goes away in March');
await page.locator('#reason').press('Enter');
await page.waitForFunction((before) => document.querySelectorAll('.advice').length === before - 1, before, { timeout: 30_000 });
pages.dismissing = await text(page);
await page.getByRole('button', { name: /^Dismissed/ }).press('Enter');
pages.dismissed = await text(page);
await page.getByRole('button', { name: /^To decide/ }).press('Enter');
await page.getByLabel('Kind').selectOption({ label: 'statistics' });
pages.filtered = await text(page);
await context.close();
await browser.close();
console.log(JSON.stringify({ wrong, pages }));
