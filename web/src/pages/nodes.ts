// Who is the primary, how far behind are replicas, and why did reads go where they went.

import { get, type Node, type Nodes } from '../api';
import { empty, h, replace } from '../dom';
import { ago, bytes, count, ms, percent } from '../format';
import { badge, card, fact, heading, polled, type Page } from '../page';
import { table } from '../table';

function node(one: Node): HTMLElement {
  const well = one.breaker === 'closed' && one.standing !== 'down';
  return h(
    'section',
    { class: 'card', 'aria-label': one.name },
    h('div', { class: 'spread' }, h('h3', {}, one.name, ' ', h('span', { class: 'tag' }, one.role)), well ? badge(one.drained ? 'drained' : one.standing, one.drained ? 'warn' : 'ok') : badge('down', 'crit')),
    h('p', { class: 'note' }, one.address),
    h(
      'dl',
      { class: 'facts' },
      one.role === 'replica' && fact('Behind at most', ms(one.lag_ms)),
      one.role === 'replica' && fact('Not replayed', bytes(one.lag_bytes)),
      fact('Answered', one.answered_ms === null ? 'not yet' : `${ago(one.answered_ms)} ago`),
      fact('Servers', `${one.servers_active} of ${one.servers} busy`),
      fact('Breaker', one.breaker),
      fact('Timeline', one.timeline === null ? '–' : String(one.timeline)),
    ),
    !well && one.last_error && h('p', { class: 'trouble' }, one.last_error),
  );
}

export function nodes(): Page {
  const list = h('div', { class: 'charts' });
  const more = h('div');
  const trouble = h('div');
  let whole = 0;
  const routes = table<Nodes['routes'][number]>(
    'Routes',
    [
      { name: 'Reason', by: (route) => route.reason, cell: (route) => h('code', {}, route.reason) },
      { name: 'What it means', grow: true, cell: (route) => route.explanation },
      { name: 'Requests', numeric: true, by: (route) => route.requests, cell: (route) => count(route.requests) },
      { name: 'Share', numeric: true, by: (route) => route.requests, cell: (route) => percent(route.requests, whole) },
    ],
    () => empty('Nothing to route', 'There is one node, or nobody has asked anything yet. With replicas in ', h('code', {}, '[[cluster.node]]'), ' reads go to them by themselves.'),
    2,
  );
  const ask = polled(
    () => get<Nodes>('nodes'),
    (value) => {
      if (value.nodes.length === 0) replace(list, h('section', { class: 'card' }, empty('No node has been asked yet', 'The first client makes Howdah open a server.')));
      else replace(list, ...value.nodes.map(node));
      replace(more, ...value.unlisted.map((one) => h('p', { class: 'evidence' }, `A replica at ${one.address} follows the primary of ${one.cluster} and is not configured: it serves no reads.`)));
      whole = value.routes.reduce((sum, route) => sum + route.requests, 0);
      routes.update(value.routes);
    },
    trouble,
  );
  return { element: h('div', {}, heading('Nodes', 'PostgreSQL’s instances: what they say they are, and how fresh they are.'), trouble, list, more, card('Where requests went, and why', routes.element)), tick: ask };
}
