// Which forms of statements take the time, fail, wait.

import { get, type Queries, type Query } from '../api';
import { bars } from '../chart';
import { direct } from '../direct';
import { empty, h } from '../dom';
import { count, ms, percent, rate } from '../format';
import { origins, type Facet } from '../from';
import { heading, polled, type Page } from '../page';
import { table } from '../table';

export function queries(): Page {
  let whole = 0;
  let all: Query[] = [];
  const filter = h('input', { type: 'search', placeholder: 'Filter  ( / )', 'aria-label': 'Filter statements', id: 'filter' });
  const summary = h('p', { class: 'note' });
  const trouble = h('div');
  const list = table<Query>(
    'Statements',
    [
      { name: 'Share', numeric: true, by: (query) => query.part?.total_ms ?? query.total_ms, cell: (query) => percent(query.part?.total_ms ?? query.total_ms, whole) },
      {
        name: 'Statement',
        grow: true,
        by: (query) => query.statement,
        cell: (query) =>
          h(
            'div',
            {},
            query.fingerprint ? h('a', { class: 'sql', href: `#/queries/${query.fingerprint}`, 'data-key': `${query.fingerprint}-${query.database}-${query.user}` }, query.statement || '(not looked at)') : h('span', { class: 'note' }, 'all other forms'),
            h('div', { class: 'note' }, `${query.user} on ${query.database} · ${query.kind}`),
          ),
      },
      { name: 'Calls', numeric: true, wide: true, by: (query) => query.part?.calls ?? query.calls, cell: (query) => count(query.part?.calls ?? query.calls) },
      { name: 'P50', numeric: true, wide: true, by: (query) => query.p50_ms ?? 0, cell: (query) => ms(query.p50_ms) },
      { name: 'P99', numeric: true, by: (query) => query.p99_ms ?? 0, cell: (query) => ms(query.p99_ms) },
      { name: 'Waiting', numeric: true, wide: true, by: (query) => query.wait_ms / Math.max(query.total_ms, 1e-9), cell: (query) => percent(query.wait_ms, query.total_ms) },
      { name: 'Rows per call', numeric: true, wide: true, by: (query) => query.rows / Math.max(query.calls, 1), cell: (query) => rate(query.rows / Math.max(query.calls, 1)) },
      { name: 'Errors', numeric: true, by: (query) => query.errors, cell: (query) => h('span', { class: query.errors > 0 ? 'bad' : '' }, count(query.errors)) },
      { name: 'Half an hour', wide: true, cell: (query) => bars(query.minutes.map((minute) => minute[1]), 'time per minute, the last half hour') },
    ],
    () => empty('No statements yet', 'They appear a second after the first one was answered. Point an application at Howdah, or try ', h('code', {}, 'howdah demo'), '.'),
    0,
  );
  const show = () => {
    const wanted = filter.value.trim().toLowerCase();
    list.update(all.filter((query) => !wanted || [query.statement, query.user, query.database, query.kind, query.fingerprint ?? ''].some((text) => text.toLowerCase().includes(wanted))));
  };
  filter.addEventListener('input', show);
  const chosen: Partial<Record<Facet, string>> = {};
  const path = () => `queries?${new URLSearchParams({ limit: '500', ...chosen })}`;
  const from = origins(chosen, (facet, name) => {
    if (name === null) delete chosen[facet];
    else chosen[facet] = name;
    // The next look says what is wrong.
    void get<Queries>(path()).then(draw, () => undefined);
  });
  const ask = polled(() => get<Queries>(path()), draw, trouble);
  const past = direct();
  function draw(value: Queries): void {
    from.update(value.from);
    const part = value.queries.reduce((sum, query) => sum + (query.part?.total_ms ?? 0), 0);
    whole = Object.keys(chosen).length > 0 ? part : value.totals.total_ms;
    all = value.queries;
    summary.textContent = `${count(value.totals.calls)} calls of ${count(value.forms)} forms since the start · P50 ${ms(value.totals.p50_ms)} · P99 ${ms(value.totals.p99_ms)} · ${count(value.totals.errors)} errors`;
    show();
  }
  return {
    element: h('div', {}, heading('Queries', 'Statements by form, those that took the most time first. Literals are not kept.', filter), summary, trouble, h('section', { class: 'card' }, list.element), h('h2', {}, 'Where they come from'), h('p', { class: 'note' }, 'Choose a name to see its statements alone.'), from.element, past.element),
    tick: async () => {
      await Promise.all([ask(), past.tick()]);
    },
  };
}
