// Are there enough servers, and who waits.

import { get, type Pool } from '../api';
import { empty, h, replace } from '../dom';
import { ago, count } from '../format';
import { badge, bar, fact, heading, polled, type Page } from '../page';

function pool(one: Pool): HTMLElement {
  const busy = one.servers.active + one.servers.tested;
  const state = one.paused ? badge('paused', 'warn') : one.last_error ? badge('no new servers', 'crit') : one.clients.waiting > 0 && one.oldest_wait_ms > 1_000 ? badge('clients wait', 'crit') : one.clients.waiting > 0 ? badge('busy', 'warn') : badge('ok', 'ok');
  const pinned = Object.entries(one.pinned).filter(([, servers]) => servers > 0);
  return h(
    'section',
    { class: 'card', 'aria-label': `${one.user} on ${one.database}` },
    h('div', { class: 'spread' }, h('h3', {}, `${one.user} on ${one.database}`), state),
    h('p', { class: 'note' }, `node ${one.node} · ${one.mode} mode`),
    bar(
      [
        { value: one.servers.active, colour: '--c-1', label: 'busy' },
        { value: one.servers.tested, colour: '--c-3', label: 'being cleaned' },
        { value: one.servers.opening, colour: '--c-2', label: 'opening' },
        { value: one.servers.idle, colour: '--c-5', label: 'idle' },
      ],
      one.servers.max,
    ),
    h('p', { class: 'note' }, `${busy} busy, ${one.servers.idle} idle, ${one.servers.opening} opening, of ${one.servers.max} at most`),
    h(
      'dl',
      { class: 'facts' },
      fact('Clients active', count(one.clients.active)),
      fact('waiting', count(one.clients.waiting)),
      fact('idle', count(one.clients.idle)),
      fact('Longest wait', one.clients.waiting > 0 ? ago(one.oldest_wait_ms) : 'none'),
      fact('Shared flights', count(one.flights)),
      fact('Calls in them', count(one.shared)),
      fact('Leaks', count(one.leaks)),
      fact('Pinned', pinned.length === 0 ? 'none' : pinned.map(([reason, servers]) => `${servers} ${reason}`).join(', ')),
    ),
    one.advice && h('p', { class: 'evidence' }, `Size it should have: ${one.advice}`),
    one.last_error && h('p', { class: 'trouble' }, one.last_error),
  );
}

export function pools(): Page {
  const list = h('div', { class: 'charts' });
  const trouble = h('div');
  const ask = polled(
    () => get<{ pools: Pool[] }>('pools'),
    (value) => {
      if (value.pools.length === 0) replace(list, h('section', { class: 'card' }, empty('No pools yet', 'The first client of a database and user makes one.')));
      else replace(list, ...value.pools.map(pool));
    },
    trouble,
  );
  return { element: h('div', {}, heading('Pools', 'Servers for each pair of database and user, on each node.'), trouble, list), tick: ask };
}
