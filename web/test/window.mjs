// A headless Chromium for those that open pages, with the views that a page has to work in, and what is wrong on any page.

import { chromium } from 'playwright-core';

export const VIEWS = [
  { name: 'wide-light', viewport: { width: 1440, height: 1000 }, colorScheme: 'light' },
  { name: 'wide-dark', viewport: { width: 1440, height: 1000 }, colorScheme: 'dark' },
  { name: 'narrow-light', viewport: { width: 390, height: 844 }, colorScheme: 'light' },
  { name: 'narrow-dark', viewport: { width: 390, height: 844 }, colorScheme: 'dark' },
];

export const launch = () =>
  chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });

/** Lists what would be wrong in any case: an error in the console, a request to elsewhere. */
export function watch(page, origin, wrong, where) {
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) wrong.push(`${where()}: console: ${message.text()}`);
  });
  page.on('pageerror', (error) => wrong.push(`${where()}: ${error.message}`));
  page.on('request', (request) => {
    const url = request.url();
    if (!url.startsWith(origin) && !url.startsWith('data:')) wrong.push(`${where()}: request to ${url}`);
  });
  page.on('response', (response) => {
    if (response.status() >= 400) wrong.push(`${where()}: ${response.status()} ${response.url()}`);
  });
}

/** Lists what is wrong with a page as it stands: too wide, controls without a name. */
export async function inspect(page, wrong, where) {
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  if (overflow > 0) wrong.push(`${where}: ${overflow} pixels wider than the screen`);
  const unnamed = await page.evaluate(() => [...document.querySelectorAll('button, a, input, select, textarea')].filter((one) => !(one.textContent?.trim() || one.getAttribute('aria-label') || one.labels?.length)).length);
  if (unnamed > 0) wrong.push(`${where}: ${unnamed} controls without a name`);
}
