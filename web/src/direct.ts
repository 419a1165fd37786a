// Statements that PostgreSQL has run for others than clients of Howdah.

import { get, type Direct } from './api';
import { empty, h, replace } from './dom';
import { ago, count } from './format';
import { card, polled } from './page';
import { table } from './table';

type Line = Direct['nodes'][number]['direct'][number] & { node: string };

/** A list of them, and why there is none; asked for seldom, as it changes seldom. */
export function direct(): { element: HTMLElement; tick: () => Promise<void> } {
  const trouble = h('div');
  const missing = h('div');
  const list = table<Line>(
    'Past Howdah',
    [
      { name: 'Statement', grow: true, by: (line) => line.statement, cell: (line) => h('div', {}, h('span', { class: 'sql' }, line.statement), h('div', { class: 'note' }, `${line.database} at ${line.node} · ${line.kind}`)) },
      { name: 'Past Howdah', numeric: true, by: (line) => line.direct, cell: (line) => count(line.direct) },
      { name: 'Calls in all', numeric: true, wide: true, by: (line) => line.calls, cell: (line) => count(line.calls) },
      { name: 'Time', numeric: true, by: (line) => line.time_ms, cell: (line) => ago(line.time_ms) },
    ],
    () => empty('None is known', 'They are looked for once a minute, where pg_stat_statements is installed.'),
  );
  const tick = polled(
    () => get<Direct>('direct'),
    (value) => {
      replace(missing, ...value.nodes.filter((node) => node.missing).map((node) => h('p', { class: 'note' }, `${node.node}: ${node.missing}`)));
      list.update(value.nodes.flatMap((node) => node.direct.map((line) => ({ ...line, node: node.node }))));
    },
    trouble,
    15,
  );
  return { element: card('Past Howdah', h('p', { class: 'note' }, 'What PostgreSQL has run for others, from pg_stat_statements.'), trouble, missing, list.element), tick };
}
