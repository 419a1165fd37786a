// What is remembered: any range, of everything, a pool or a node; marks; the statements that took the most; the period before.

import { get, post, type Past, type PastStatement, type PastStatements } from '../api';
import { chart, type Chart, type Line } from '../chart';
import { empty, h, replace } from '../dom';
import { bytes, count, moment, ms, percent, rate } from '../format';
import { card, heading, polled, type Page } from '../page';
import { table } from '../table';

const RANGES: [string, string, number][] = [
  ['5m', '5 min', 300],
  ['1h', '1 hour', 3_600],
  ['6h', '6 hours', 21_600],
  ['24h', '24 hours', 86_400],
  ['7d', '7 days', 604_800],
  ['30d', '30 days', 2_592_000],
];

type Value = (of: (name: string) => number | null) => number | null;

interface Drawing {
  title: string;
  note: string;
  lines: (Line & { value: Value })[];
  format: (value: number | null | undefined) => string;
  /** The line that is compared with the period before; the first unless it says otherwise. */
  compared?: number;
}

const as = (name: string, by = 1): Value => (of) => {
  const value = of(name);
  return value === null ? null : value / by;
};

const sum = (...names: string[]): Value => (of) => {
  const values = names.map(of);
  return values.every((value) => value === null) ? null : values.reduce<number>((all, value) => all + (value ?? 0), 0);
};

const OF_ALL: Drawing[] = [
  {
    title: 'Throughput',
    note: 'Statements and errors per second',
    format: rate,
    lines: [
      { label: 'statements', colour: '--c-1', fill: true, value: as('calls') },
      { label: 'errors', colour: '--c-4', value: sum('errors_client', 'errors_server', 'errors_retryable', 'errors_canceled') },
    ],
  },
  {
    title: 'Latency',
    note: 'Time of statements, waiting included',
    format: ms,
    compared: 2,
    lines: [
      { label: 'P50', colour: '--c-2', value: as('p50') },
      { label: 'P95', colour: '--c-3', value: as('p95') },
      { label: 'P99', colour: '--c-4', value: as('p99') },
    ],
  },
  {
    title: 'Load',
    note: 'Servers at work on average, what waits for one on top, and how many there may be',
    format: rate,
    lines: [
      { label: 'working', colour: '--c-1', fill: true, value: as('server_us', 1e6) },
      { label: 'waiting', colour: '--c-4', stacked: true, value: as('wait_us', 1e6) },
      { label: 'servers at most', colour: '--c-5', dashed: true, value: as('servers_max') },
    ],
  },
  {
    title: 'Clients',
    note: 'By what they do, on average',
    format: rate,
    lines: [
      { label: 'active', colour: '--c-1', fill: true, value: as('clients_active') },
      { label: 'in transaction', colour: '--c-3', stacked: true, value: as('clients_in_transaction') },
      { label: 'waiting', colour: '--c-4', stacked: true, value: as('clients_waiting') },
      { label: 'idle', colour: '--c-5', stacked: true, value: as('clients_idle') },
    ],
  },
];

const OF_POOL: Drawing[] = [
  {
    title: 'Servers',
    note: 'In use and idle, on average, and how many there may be',
    format: rate,
    lines: [
      { label: 'active', colour: '--c-1', fill: true, value: as('servers_active') },
      { label: 'idle', colour: '--c-2', stacked: true, value: as('servers_idle') },
      { label: 'at most', colour: '--c-5', dashed: true, value: as('servers_max') },
    ],
  },
  {
    title: 'Waiting',
    note: 'Clients that wait for a server: on average, and at most',
    format: rate,
    lines: [
      { label: 'average', colour: '--c-3', fill: true, value: as('clients_waiting') },
      { label: 'at most', colour: '--c-4', value: as('clients_waiting.max') },
    ],
  },
  { title: 'Longest wait', note: 'How long the first in line had waited at most', format: ms, lines: [{ label: 'wait', colour: '--c-4', fill: true, value: as('oldest_wait_us.max', 1e3) }] },
];

const OF_NODE: Drawing[] = [
  { title: 'Lag', note: 'How old what it shows was at most', format: ms, lines: [{ label: 'lag', colour: '--c-3', fill: true, value: as('lag_us.max', 1e3) }] },
  { title: 'Not replayed', note: 'Of the log of the primary', format: bytes, lines: [{ label: 'bytes', colour: '--c-4', fill: true, value: as('lag_bytes.max') }] },
  {
    title: 'Servers',
    note: 'Open and in use, on average',
    format: rate,
    lines: [
      { label: 'in use', colour: '--c-1', fill: true, value: as('servers_active') },
      { label: 'open', colour: '--c-2', value: as('servers') },
    ],
  },
  { title: 'Answers', note: '1 while it does', format: rate, lines: [{ label: 'answers', colour: '--c-2', fill: true, value: as('up') }] },
];

/** Names of a pool as they are shown. */
function shown(pool: string): string {
  const [database, user, node] = pool.split('/').map((part) => part.replaceAll('%2F', '/').replaceAll('%25', '%'));
  return `${user} on ${database} at ${node}`;
}

/** Values of a column by name at a slot. */
function reader(past: Past): (name: string, at: number) => number | null {
  const columns = new Map(past.columns.map((column) => [column.name, column.values]));
  return (name, at) => columns.get(name)?.[at] ?? null;
}

export function history(rest: string): Page {
  const [name = '1h', of = 'all', compared = ''] = rest.split(',');
  const range = RANGES.find(([key]) => key === name) ?? ['1h', '1 hour', 3_600];
  const length = range[2];
  const before = compared === 'before';
  const go = (key: string, subject: string, compare: boolean) => {
    location.hash = `#/history/${encodeURIComponent([key, subject, compare ? 'before' : ''].join(','))}`;
  };
  const ranges = h(
    'div',
    { class: 'choice', role: 'group', 'aria-label': 'Range' },
    ...RANGES.map(([key, label]) => {
      const button = h('button', { type: 'button', class: 'quiet', 'aria-pressed': String(key === range[0]) }, label);
      button.addEventListener('click', () => go(key, of, before));
      return button;
    }),
  );
  const subject = h('select', { 'aria-label': 'Of' }, h('option', { value: 'all' }, 'Everything'));
  subject.addEventListener('change', () => go(range[0], subject.value, before));
  const compare = h('input', { type: 'checkbox', checked: before });
  compare.addEventListener('change', () => go(range[0], of, compare.checked));
  const drawings = of.startsWith('pool:') ? OF_POOL : of.startsWith('node:') ? OF_NODE : OF_ALL;
  const charts: Chart[] = drawings.map((drawing) => {
    const earlier = { label: `${drawing.lines[drawing.compared ?? 0]?.label} before`, colour: '--c-5', dashed: true };
    return chart(drawing.title, drawing.note, before ? [...drawing.lines, earlier] : drawing.lines, drawing.format);
  });
  const [trouble, why] = [h('div'), h('div')];
  const body = h('div', { class: 'charts' }, ...charts.map((one) => one.element));
  const marks = h('div');
  const text = h('input', { type: 'text', maxlength: '200', placeholder: 'deploy 4df1657', 'aria-label': 'What happens now' });
  const button = h('button', { type: 'submit' }, 'Mark this moment');
  const said = h('span', { class: 'note', role: 'status' });
  const form = h('form', { class: 'mark' }, text, button, said);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    if (!text.value.trim()) return;
    post(`marks?text=${encodeURIComponent(text.value.trim())}`)
      .then(() => {
        text.value = '';
        said.textContent = 'Remembered; it appears within seconds.';
      })
      .catch((error: unknown) => (said.textContent = String(error)));
  });
  const top = table<PastStatement>(
    'Statements that took the most time',
    [
      { name: 'Statement', grow: true, cell: (one) => h('a', { class: 'sql', href: `#/queries/${one.fingerprint}`, 'data-key': `${one.fingerprint}${one.database}${one.user}` }, one.statement || '(not looked at)') },
      { name: 'Database', wide: true, by: (one) => one.database, cell: (one) => one.database },
      { name: 'User', wide: true, by: (one) => one.user, cell: (one) => one.user },
      { name: 'Time', numeric: true, by: (one) => one.total_ms, cell: (one) => ms(one.total_ms) },
      { name: 'Calls', numeric: true, by: (one) => one.calls, cell: (one) => count(one.calls) },
      { name: 'Errors', numeric: true, by: (one) => one.errors, cell: (one) => `${count(one.errors)} (${percent(one.errors, one.calls)})` },
      { name: 'P99', numeric: true, by: (one) => one.p99_ms ?? 0, cell: (one) => ms(one.p99_ms) },
    ],
    () => empty('No statements yet', 'Those of a minute are written when it is over.'),
    3,
  );

  function list(past: Past): void {
    const known = new Set([...subject.options].map((option) => option.value));
    for (const [value, label] of [...past.pools.map((pool) => [`pool:${pool}`, `Pool: ${shown(pool)}`]), ...past.nodes.map((node) => [`node:${node}`, `Node: ${node}`])]) {
      if (value && !known.has(value)) subject.append(h('option', { value }, label));
    }
    subject.value = of;
    const rows = [...past.marks].reverse().slice(0, 50);
    if (rows.length === 0) replace(marks, empty('Nothing marked', 'Restarts, reloads and another primary mark themselves; howdah mark "deploy …" marks anything else.'));
    else replace(marks, h('ol', { class: 'marks' }, ...rows.map((mark) => h('li', {}, h('time', { class: 'note' }, moment(mark.at_ms / 1_000, 1, length)), ' ', h('span', { class: 'tag' }, mark.kind), ' ', mark.text))));
  }

  function draw(past: Past, earlier: Past | null): void {
    const at = reader(past);
    const old = earlier ? reader(earlier) : null;
    const places = new Map(earlier?.times.map((time, place) => [time + length, place]) ?? []);
    const lines = past.marks.map((mark) => ({ t: mark.at_ms / 1_000, text: mark.text }));
    drawings.forEach((drawing, index) => {
      const columns = drawing.lines.map((line) => past.times.map((_, slot) => line.value((column) => at(column, slot))));
      if (old) {
        const chosen = drawing.lines[drawing.compared ?? 0];
        columns.push(
          past.times.map((time) => {
            const place = places.get(time);
            return place === undefined || !chosen ? null : chosen.value((column) => old(column, place));
          }),
        );
      }
      charts[index]?.update(past.times, columns, lines);
    });
  }

  const ask = polled(
    async () => {
      const step = Math.max(1, Math.ceil(length / 600));
      const to = Math.ceil(Date.now() / 1_000 / step) * step;
      const asked = (end: number) => get<Past>(`history?of=${encodeURIComponent(of)}&from=${end - length}&to=${end}&step=${step}`);
      const past = await asked(to);
      const earlier = before && past.on ? await asked(to - length) : null;
      const statements = past.on ? await get<PastStatements>(`history/statements?from=${to - length}&to=${to}&limit=20`) : null;
      return { past, earlier, statements };
    },
    ({ past, earlier, statements }) => {
      body.hidden = !past.on || past.times.length === 0;
      form.hidden = !past.on;
      replace(why);
      if (!past.on) replace(why, h('section', { class: 'card' }, empty('The past is not remembered', past.why ?? '')));
      else if (past.why) replace(why, h('p', { class: 'trouble', role: 'alert' }, `Not written at the moment: ${past.why}`));
      else if (past.times.length === 0) replace(why, h('section', { class: 'card' }, empty('Nothing is remembered of this time', 'The first numbers are written a few seconds after the start; pools and nodes appear when they are used.')));
      list(past);
      draw(past, earlier);
      top.update(statements?.statements ?? []);
    },
    trouble,
    length <= 3_600 ? 3 : 15,
  );
  const controls = h('div', { class: 'controls' }, ranges, subject, h('label', {}, compare, ' with the period before'));
  return {
    element: h('div', {}, heading('History', 'What is remembered beyond restarts, with the moments at which something changed.', controls), trouble, why, body, h('div', { class: 'charts' }, card('Marks', form, marks)), h('section', { class: 'card' }, h('h3', {}, 'Statements that took the most time'), top.element)),
    tick: ask,
    close() {
      charts.forEach((one) => one.destroy());
    },
  };
}
