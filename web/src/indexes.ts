// How often indexes were used, day by day: a part of the page of recommendations.

import { get, type IndexHistory, type Indexes } from './api';
import { bars } from './chart';
import { empty, h, type Child } from './dom';
import { bytes, count } from './format';
import { polled } from './page';
import { table } from './table';

const DAY = 86_400_000;
/** Days that are drawn. */
const DRAWN = 30;

/** Scans on each of the last days; a day on which nobody looked has none. */
function lately(one: IndexHistory, days: number): number[] {
  const today = Math.floor(Date.now() / DAY) * DAY;
  const known = new Map(one.days.map((day) => [day.at_ms, day.scans]));
  return Array.from({ length: days }, (_, at) => known.get(today - (days - 1 - at) * DAY) ?? 0);
}

const sum = (values: number[]): number => values.reduce((all, value) => all + value, 0);

function last(one: IndexHistory): string {
  const used = one.days.filter((day) => day.scans > 0).at(-1);
  return used ? new Date(used.at_ms).toISOString().slice(0, 10) : 'never seen';
}

const since = (one: IndexHistory): number => one.days[0]?.at_ms ?? 0;

function nothing(): HTMLElement {
  return empty('Nothing is known of indexes yet', 'Howdah counts from its second look at a database, if it can ask all of its nodes.');
}

export function indexes(): { element: HTMLElement; tick: () => Promise<void> } {
  const trouble = h('div');
  const note = h('p', { class: 'note' });
  const several = (rows: IndexHistory[]): boolean => new Set(rows.map((row) => row.place)).size > 1;
  let all: IndexHistory[] = [];
  const named = (one: IndexHistory): Child => h('span', {}, h('code', {}, one.index), h('div', { class: 'note' }, several(all) ? `${one.table} · ${one.database}` : one.table));
  const list = table<IndexHistory>(
    'How indexes are used',
    [
      { name: 'Index', by: (one) => one.index, cell: named, grow: true },
      { name: 'Size', by: (one) => one.bytes, cell: (one) => bytes(one.bytes), numeric: true },
      { name: 'Scans, 7 days', by: (one) => sum(lately(one, 7)), cell: (one) => count(sum(lately(one, 7))), numeric: true },
      { name: `Scans, ${DRAWN} days`, by: (one) => sum(lately(one, DRAWN)), cell: (one) => count(sum(lately(one, DRAWN))), numeric: true, wide: true },
      { name: 'By day', cell: (one) => bars(lately(one, DRAWN), `Scans of ${one.index} on each of the last ${DRAWN} days`), wide: true },
      { name: 'Last used', by: (one) => one.days.filter((day) => day.scans > 0).at(-1)?.at_ms ?? 0, cell: last, numeric: true },
    ],
    nothing,
    1,
  );
  const show = (value: Indexes): void => {
    all = value.indexes;
    const first = Math.min(...all.map(since));
    note.textContent = all.length === 0 ? (value.why ?? '') : `Scans on all nodes together, as PostgreSQL counts them, seen by Howdah's looks since ${new Date(first).toISOString().slice(0, 10)} (days in UTC). Checks of unique indexes are not counted.`;
    list.update(all);
  };
  return {
    element: h('section', { class: 'card', 'aria-label': 'Indexes' }, h('h3', {}, 'How indexes are used'), note, trouble, list.element),
    tick: polled(() => get<Indexes>('indexes'), show, trouble, 30),
  };
}
