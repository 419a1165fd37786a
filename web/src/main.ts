// The frame around the pages: navigation, theme, keys, and the stream that moves them.

import 'uplot/dist/uPlot.min.css';
import './style.css';
import { h, replace } from './dom';
import { listen, now, start } from './live';
import { cache } from './pages/cache';
import { history } from './pages/history';
import { alerts } from './pages/alerts';
import { nodes } from './pages/nodes';
import { overview } from './pages/overview';
import { pools } from './pages/pools';
import { queries } from './pages/queries';
import { query } from './pages/query';
import { recommendations } from './pages/recommendations';
import { setup } from './pages/rest';
import { sessions } from './pages/sessions';
import type { Page } from './page';

const PAGES: { path: string; name: string; icon: string; make: (rest: string) => Page }[] = [
  { path: '', name: 'Overview', icon: '◎', make: overview },
  { path: 'queries', name: 'Queries', icon: '≣', make: (rest) => (rest ? query(rest) : queries()) },
  { path: 'recommendations', name: 'Recommendations', icon: '✦', make: recommendations },
  { path: 'cache', name: 'Cache', icon: '◈', make: cache },
  { path: 'pools', name: 'Pools', icon: '▥', make: pools },
  { path: 'nodes', name: 'Nodes', icon: '⛁', make: nodes },
  { path: 'sessions', name: 'Sessions', icon: '⇄', make: sessions },
  { path: 'history', name: 'History', icon: '◷', make: history },
  { path: 'alerts', name: 'Alerts', icon: '△', make: alerts },
  { path: 'setup', name: 'Setup', icon: '⚙', make: setup },
];

/** The key of a page; there are ten digits. */
const digit = (at: number): number => (at + 1) % 10;

type Theme = 'auto' | 'light' | 'dark';

const root = document.querySelector('#app') as HTMLElement;
const main = h('main', { id: 'main' });
const state = h('span', { class: 'state', role: 'status' });
const links = PAGES.map((page, at) => h('a', { href: `#/${page.path}`, title: `${page.name} (${digit(at)})` }, h('span', { class: 'icon', 'aria-hidden': 'true' }, page.icon), h('span', {}, page.name)));
const themes = h('button', { type: 'button', class: 'quiet', title: 'Light, dark, or as the system says (t)' });
const help = h(
  'dialog',
  { 'aria-label': 'Keys' },
  h('h3', {}, 'Keys'),
  h('dl', { class: 'keys' }, ...[['1 … 9, 0', 'pages'], ['/', 'filter'], ['t', 'light or dark'], ['?', 'these keys'], ['Esc', 'close']].flatMap(([key, what]) => [h('dt', {}, h('kbd', {}, key ?? '')), h('dd', {}, what ?? '')])),
);
const close = h('button', { type: 'button' }, 'Close');
close.addEventListener('click', () => help.close());
help.append(close);

let page: Page | null = null;
let stop: (() => void) | null = null;

function open(): void {
  const [path = '', rest = ''] = location.hash.replace(/^#\/?/, '').split('/');
  const at = Math.max(0, PAGES.findIndex((one) => one.path === path));
  const chosen = PAGES[at] ?? PAGES[0];
  if (!chosen) return;
  stop?.();
  page?.close?.();
  page = chosen.make(decodeURIComponent(rest));
  replace(main, page.element);
  document.title = `${chosen.name} · Howdah`;
  links.forEach((link, index) => (index === at ? link.setAttribute('aria-current', 'page') : link.removeAttribute('aria-current')));
  links[at]?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  window.scrollTo(0, 0);
  const shown = page;
  stop = listen(() => void shown.tick());
  void shown.tick();
}

function theme(): Theme {
  const kept = localStorage.getItem('howdah-theme');
  return kept === 'light' || kept === 'dark' ? kept : 'auto';
}

function paint(): void {
  const chosen = theme();
  if (chosen === 'auto') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = chosen;
  themes.textContent = { auto: '◐ auto', light: '☀ light', dark: '☾ dark' }[chosen];
  document.dispatchEvent(new Event('theme'));
}

function turn(): void {
  const next: Record<Theme, Theme> = { auto: 'light', light: 'dark', dark: 'auto' };
  localStorage.setItem('howdah-theme', next[theme()]);
  paint();
}

function watch(): void {
  const words = { live: '● live', lost: '■ no answer', paused: '○ paused', starting: '○ starting' }[now.state];
  state.textContent = words;
  state.className = `state ${now.state}`;
  root.classList.toggle('stale', now.state === 'lost');
}

document.addEventListener('keydown', (event) => {
  const typing = event.target instanceof HTMLTextAreaElement || (event.target instanceof HTMLInputElement && event.target.type !== 'checkbox');
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (typing) {
    if (event.key === 'Escape') (event.target as HTMLElement).blur();
    return;
  }
  const chosen = PAGES.find((_, at) => String(digit(at)) === event.key);
  if (chosen) location.hash = `#/${chosen.path}`;
  else if (event.key === '/') {
    event.preventDefault();
    document.querySelector<HTMLInputElement>('#filter')?.focus();
  } else if (event.key === 't') turn();
  else if (event.key === '?') help.showModal();
});
themes.addEventListener('click', turn);
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', paint);
window.addEventListener('hashchange', () => {
  open();
  main.querySelector<HTMLElement>('h1')?.focus({ preventScroll: true });
});

const keys = h('button', { type: 'button', class: 'quiet', title: 'Keys (?)' }, '? keys');
keys.addEventListener('click', () => help.showModal());
replace(
  root,
  h('nav', { 'aria-label': 'Pages' }, h('a', { class: 'brand', href: '#/' }, 'Howdah'), h('div', { class: 'links' }, ...links), h('div', { class: 'nav-foot' }, state, themes, keys)),
  main,
  help,
);
paint();
listen(watch);
watch();
open();
start();
