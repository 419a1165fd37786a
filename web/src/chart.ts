// Charts over time, each with the same numbers as a table. uPlot draws; colours are those of the page.

import uPlot from 'uplot';
import { moment } from './format';
import { h, replace, svg } from './dom';

export interface Line {
  label: string;
  /** Name of a custom property: --c-1 … */
  colour: string;
  /** Drawn on top of the line before it. */
  stacked?: boolean;
  fill?: boolean;
  dashed?: boolean;
}

/** A moment at which something changed: a line across the chart. */
export interface Mark {
  t: number;
  text: string;
}

export interface Chart {
  element: HTMLElement;
  update(times: number[], values: (number | null)[][], marks?: Mark[]): void;
  destroy(): void;
}

/** A colour of the style sheet as a canvas takes it: what is light or dark is decided by an element. */
const probe = h('span', { hidden: true });

function colour(name: string): string {
  if (!probe.isConnected) document.body.append(probe);
  probe.style.color = `var(${name})`;
  return getComputedStyle(probe).color;
}

function faded(name: string): string {
  return `color-mix(in srgb, ${colour(name)} 22%, transparent)`;
}

const CURSOR = uPlot.sync('time');

/** A chart in a card of its own. */
export function chart(title: string, note: string, lines: Line[], format: (value: number | null | undefined) => string): Chart {
  const box = h('div', { class: 'chart-box' });
  const table = h('div', { class: 'chart-table', hidden: true });
  const button = h('button', { class: 'quiet', type: 'button', 'aria-pressed': 'false' }, 'Table');
  const element = h(
    'section',
    { class: 'card chart', 'aria-label': title },
    h('header', {}, h('div', {}, h('h3', {}, title), h('p', { class: 'note' }, note)), button),
    box,
    table,
  );
  let plot: uPlot | null = null;
  let data: { times: number[]; values: (number | null)[][]; marks: Mark[] } = { times: [], values: lines.map(() => []), marks: [] };
  const stamp = (at: number) => moment(at, 1, (data.times.at(-1) ?? 0) - (data.times[0] ?? 0));
  let tabular = false;
  button.addEventListener('click', () => {
    tabular = !tabular;
    button.setAttribute('aria-pressed', String(tabular));
    button.textContent = tabular ? 'Chart' : 'Table';
    box.hidden = tabular;
    table.hidden = !tabular;
    draw();
  });

  function series(): uPlot.Series[] {
    return [
      { value: (_: uPlot, at: number | null) => (at === null ? '' : stamp(at)) },
      ...lines.map((line, index) => ({
        label: line.label,
        stroke: colour(line.colour),
        width: 1.75,
        spanGaps: true,
        points: { show: false },
        ...(line.dashed ? { dash: [5, 4] } : {}),
        ...(line.fill ? { fill: faded(line.colour) } : {}),
        value: (_: uPlot, __: number | null, ___: number, at: number | null) => format(at === null ? data.values[index]?.at(-1) : data.values[index]?.[at]),
      })),
    ];
  }

  /** Stacked lines are drawn at the sum of those below them. */
  function drawn(): uPlot.AlignedData {
    const columns: (number | null)[][] = [];
    let below: (number | null)[] | null = null;
    lines.forEach((line, index) => {
      const own = data.values[index] ?? [];
      const base: (number | null)[] | null = line.stacked ? below : null;
      const column: (number | null)[] = base ? own.map((value, at) => (value === null && (base[at] ?? null) === null ? null : (value ?? 0) + (base[at] ?? 0))) : own;
      columns.push(column);
      if (!line.dashed) below = column;
    });
    return [data.times, ...columns] as uPlot.AlignedData;
  }

  /** Lines across at the marks. */
  function cross(on: uPlot): void {
    const { left, top, width, height } = on.bbox;
    on.ctx.save();
    on.ctx.strokeStyle = colour('--muted');
    on.ctx.lineWidth = devicePixelRatio;
    on.ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
    for (const mark of data.marks) {
      const x = Math.round(on.valToPos(mark.t, 'x', true));
      if (x < left || x > left + width) continue;
      on.ctx.beginPath();
      on.ctx.moveTo(x, top);
      on.ctx.lineTo(x, top + height);
      on.ctx.stroke();
    }
    on.ctx.restore();
  }

  function make(): void {
    plot?.destroy();
    const grid = { stroke: colour('--line'), width: 1 };
    const axis = { stroke: colour('--muted'), grid, ticks: { show: false }, font: '11px system-ui, sans-serif' };
    plot = new uPlot(
      {
        width: Math.max(box.clientWidth, 200),
        height: 190,
        series: series(),
        cursor: { sync: { key: CURSOR.key }, y: false, points: { size: 6 } },
        legend: { live: true },
        scales: { y: { range: (_, __, max) => [0, Math.max(max * 1.15, 0.001)] } },
        axes: [
          { ...axis, space: 84, values: (_, splits) => splits.map((at) => moment(at, (splits[1] ?? 0) - (splits[0] ?? 0), (splits.at(-1) ?? 0) - (splits[0] ?? 0))) },
          { ...axis, size: 62, values: (_, splits) => splits.map((value) => format(value)) },
        ],
        hooks: { draw: [cross] },
        bands: lines.flatMap((line, index) => (line.stacked ? [{ series: [index + 1, index] as [number, number], fill: faded(line.colour) }] : [])),
      },
      drawn(),
      box,
    );
  }

  function draw(): void {
    if (tabular) {
      const last = data.times.length;
      const rows = Array.from({ length: Math.min(last, 60) }, (_, back) => last - 1 - back);
      replace(
        table,
        h(
          'table',
          {},
          h('caption', {}, `${title}: the newest, newest first`),
          h('thead', {}, h('tr', {}, h('th', {}, 'Time'), ...lines.map((line) => h('th', { class: 'num' }, line.label)))),
          h('tbody', {}, ...rows.map((at) => h('tr', {}, h('td', {}, stamp(data.times[at] ?? 0)), ...data.values.map((column) => h('td', { class: 'num' }, format(column[at])))))),
        ),
      );
      return;
    }
    if (!plot) make();
    else plot.setData(drawn());
  }

  const resize = new ResizeObserver(() => {
    if (plot && box.clientWidth > 0) plot.setSize({ width: box.clientWidth, height: 190 });
  });
  resize.observe(box);
  const repaint = () => {
    plot?.destroy();
    plot = null;
    if (!tabular) draw();
  };
  document.addEventListener('theme', repaint);
  return {
    element,
    update(times, values, marks = []) {
      data = { times, values, marks };
      if (element.isConnected) draw();
    },
    destroy() {
      resize.disconnect();
      document.removeEventListener('theme', repaint);
      plot?.destroy();
      plot = null;
    },
  };
}

/** Bars without axes, for a glance. */
export function bars(values: number[], label: string): SVGElement {
  const [width, height] = [120, 30];
  const most = Math.max(...values, 1e-9);
  const step = width / Math.max(values.length, 1);
  const drawn = values.map((value, at) => {
    const tall = value > 0 ? Math.max((value / most) * (height - 2), 1.5) : 0;
    return svg('rect', { class: 'spark-bar', x: (at * step).toFixed(1), y: (height - tall).toFixed(1), width: (step * 0.75).toFixed(1), height: tall.toFixed(1) });
  });
  return svg('svg', { class: 'spark', viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: 'none', role: 'img', 'aria-label': label }, ...drawn);
}

/** A line without axes, for a glance. */
export function sparkline(values: (number | null)[], label: string): SVGElement {
  const [width, height] = [120, 30];
  const known = values.map((value) => value ?? 0);
  const most = Math.max(...known, 1e-9);
  const step = width / Math.max(known.length - 1, 1);
  const points = known.map((value, at) => `${(at * step).toFixed(1)},${(height - 2 - (value / most) * (height - 4)).toFixed(1)}`);
  const area = points.length > 0 ? `0,${height} ${points.join(' ')} ${width},${height}` : '';
  return svg(
    'svg',
    { class: 'spark', viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: 'none', role: 'img', 'aria-label': label },
    svg('polygon', { class: 'spark-area', points: area }),
    svg('polyline', { class: 'spark-line', points: points.join(' '), 'vector-effect': 'non-scaling-stroke' }),
  );
}
