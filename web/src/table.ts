// A table that is sorted by its headings and updated in place, so that neither focus nor scrolling is lost.

import { h, replace, type Child } from './dom';

export interface Column<T> {
  name: string;
  /** What it is sorted by; none: it is not. */
  by?: (row: T) => number | string;
  cell: (row: T) => Child;
  numeric?: boolean;
  /** Left out on narrow screens. */
  wide?: boolean;
  grow?: boolean;
}

export interface Table<T> {
  element: HTMLElement;
  update(rows: T[]): void;
}

export function table<T>(label: string, columns: Column<T>[], none: () => HTMLElement, first = -1): Table<T> {
  let rows: T[] = [];
  let [sorted, down] = [first, true];
  const head = h('tr');
  const body = h('tbody');
  const scroll = h('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': label }, h('table', {}, h('thead', {}, head), body));
  const element = h('div', {}, scroll);
  const place = (column: Column<T>) => [column.numeric && 'num', column.wide && 'wide', column.grow && 'grow'].filter(Boolean).join(' ');
  const headings = columns.map((column, at) => {
    if (!column.by) return h('th', { class: place(column) }, column.name);
    const button = h('button', { class: 'sort', type: 'button' }, column.name);
    button.addEventListener('click', () => {
      [sorted, down] = sorted === at ? [at, !down] : [at, Boolean(column.numeric)];
      draw();
    });
    return h('th', { class: place(column) }, button);
  });
  head.append(...headings);

  function draw(): void {
    headings.forEach((heading, at) => {
      if (at === sorted) heading.setAttribute('aria-sort', down ? 'descending' : 'ascending');
      else heading.removeAttribute('aria-sort');
    });
    const by = columns[sorted]?.by;
    const shown = by
      ? [...rows].sort((a, b) => {
          const [x, y] = [by(a), by(b)];
          const order = typeof x === 'number' && typeof y === 'number' ? x - y : String(x).localeCompare(String(y));
          return down ? -order : order;
        })
      : rows;
    const focused = document.activeElement instanceof HTMLElement ? document.activeElement.dataset['key'] : undefined;
    replace(body, ...shown.map((row) => h('tr', {}, ...columns.map((column) => h('td', { class: place(column), 'data-label': column.name }, column.cell(row))))));
    if (focused) body.querySelector<HTMLElement>(`[data-key="${CSS.escape(focused)}"]`)?.focus();
    scroll.hidden = rows.length === 0;
    element.querySelector('.empty')?.remove();
    if (rows.length === 0) element.append(none());
  }

  return {
    element,
    update(next) {
      rows = next;
      draw();
    },
  };
}
