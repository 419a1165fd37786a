// The configuration in force.

import { get, type Setup } from '../api';
import { empty, h } from '../dom';
import { ago } from '../format';
import { now } from '../live';
import { heading, polled, type Page } from '../page';
import { table } from '../table';

type Key = Setup['keys'][number];

export function setup(): Page {
  let all: Key[] = [];
  const filter = h('input', { type: 'search', placeholder: 'Filter  ( / )', 'aria-label': 'Filter keys', id: 'filter' });
  const summary = h('p', { class: 'note' });
  const trouble = h('div');
  const list = table<Key>(
    'Configuration',
    [
      { name: 'Key', by: (key) => key.key, cell: (key) => h('code', {}, key.key) },
      { name: 'Value', grow: true, by: (key) => key.value, cell: (key) => h('span', { class: key.default !== null && key.default !== key.value ? 'changed' : '' }, key.value || '–') },
      { name: 'Default', wide: true, cell: (key) => h('span', { class: 'note' }, key.default ?? '–') },
    ],
    () => empty('No key of that name', 'Try another word.'),
    -1,
  );
  const show = () => {
    const wanted = filter.value.trim().toLowerCase();
    list.update(all.filter((key) => !wanted || key.key.includes(wanted) || key.value.toLowerCase().includes(wanted)));
  };
  filter.addEventListener('input', show);
  const ask = polled(
    () => get<Setup>('setup'),
    (value) => {
      all = value.keys;
      summary.textContent = `Howdah ${value.version} · up for ${ago((now.overview?.uptime_s ?? 0) * 1_000)} · listening on ${(now.overview?.listening ?? []).join(', ')} · ${value.workers} workers · revision ${value.revision} of the configuration`;
      show();
    },
    trouble,
    10,
  );
  return { element: h('div', {}, heading('Setup', 'The configuration in force. Secrets are not shown; howdah config show says where each value comes from.', filter), summary, trouble, h('section', { class: 'card' }, list.element)), tick: ask };
}
