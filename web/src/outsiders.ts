// Sessions of PostgreSQL that do not come from Howdah.

import { get, type Outsiders } from './api';
import { empty, h, replace } from './dom';
import { ago, count } from './format';
import { badge, card, polled } from './page';
import { table } from './table';

type Line = Outsiders['nodes'][number]['sessions'][number] & { node: string };

const KINDS: Record<string, 'ok' | 'warn' | 'off'> = { active: 'ok', 'idle in transaction': 'warn', 'idle in transaction (aborted)': 'warn' };

/** A list of them, and what of them may not be known. */
export function outsiders(): { element: HTMLElement; tick: () => Promise<void> } {
  const trouble = h('div');
  const missing = h('div');
  const list = table<Line>(
    'Past Howdah',
    [
      { name: 'State', by: (line) => line.state, cell: (line) => (line.state ? badge(line.state, KINDS[line.state] ?? 'off') : '–') },
      { name: 'For', numeric: true, by: (line) => line.lasting_ms ?? 0, cell: (line) => (line.lasting_ms === null ? '–' : ago(line.lasting_ms)) },
      {
        name: 'Statement',
        grow: true,
        cell: (line) => h('div', {}, h('span', { class: 'sql' }, line.statement || '–'), h('div', { class: 'note' }, `${line.user} on ${line.database} at ${line.node} · process ${line.process}${line.address ? ` · ${line.address}` : ''}`)),
      },
      { name: 'Application', wide: true, by: (line) => line.application, cell: (line) => line.application || '–' },
      { name: 'Transaction', numeric: true, wide: true, by: (line) => line.transaction_ms ?? 0, cell: (line) => (line.transaction_ms === null ? '–' : ago(line.transaction_ms)) },
    ],
    () => empty('Nobody goes past Howdah', 'As far as is known: nodes are asked while Howdah has servers there, unless statements.server_statistics is off.'),
  );
  const tick = polled(
    () => get<Outsiders>('outsiders'),
    (value) => {
      const more = value.nodes.filter((node) => node.all > node.sessions.length).map((node) => h('p', { class: 'note' }, `${node.node}: ${count(node.sessions.length)} of ${count(node.all)} are shown, those with the oldest transactions first.`));
      replace(missing, ...value.nodes.filter((node) => node.missing).map((node) => h('p', { class: 'note' }, `${node.node}: ${node.missing}`)), ...more);
      list.update(value.nodes.flatMap((node) => node.sessions.map((line) => ({ ...line, node: node.node }))));
    },
    trouble,
    5,
  );
  return { element: card('Past Howdah', h('p', { class: 'note' }, 'Sessions of PostgreSQL that others have opened: they hold locks and connections, too.'), trouble, missing, list.element), tick };
}
