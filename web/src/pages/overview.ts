// Is it fine, and what to do first.

import { get, type Finding, type Node as DbNode, type Nodes, type Queries, type Score } from '../api';
import { chart, sparkline } from '../chart';
import { empty, h, replace, svg } from '../dom';
import { ago, count, ms, percent, rate } from '../format';
import { now } from '../live';
import { badge, card, polled, type Page } from '../page';

function sentence(): string {
  const last = now.points.at(-1);
  const worst = now.findings[0];
  if (!last) return 'Looking…';
  if (worst) return now.findings.length === 1 ? worst.title : `${worst.title}, and ${now.findings.length - 1} more`;
  if ((now.overview?.statements.calls ?? 0) === 0 && last.qps === 0) return 'Nobody has asked anything yet';
  if (last.qps === 0) return 'Quiet: no statements right now';
  return 'All is well';
}

function dial(score: Score | null): HTMLElement {
  const value = score?.value ?? null;
  const length = 2 * Math.PI * 26;
  const arc = svg('circle', { class: 'dial-arc', cx: 32, cy: 32, r: 26, 'stroke-dasharray': `${((value ?? 0) / 100) * length} ${length}`, transform: 'rotate(-90 32 32)' });
  const kind = value === null ? 'off' : value >= 90 ? 'ok' : value >= 70 ? 'warn' : 'crit';
  return h(
    'div',
    { class: `dial ${kind}`, role: 'img', 'aria-label': value === null ? 'no score yet' : `score ${value.toFixed(0)} of 100` },
    svg('svg', { viewBox: '0 0 64 64' }, svg('circle', { class: 'dial-track', cx: 32, cy: 32, r: 26 }), arc),
    h('div', { class: 'dial-text' }, h('strong', {}, value === null ? '–' : value.toFixed(0)), h('span', {}, score?.grade ?? 'score')),
  );
}

function lost(score: Score | null): string {
  if (!score || score.value === null) return 'A score needs 100 statements within five minutes.';
  const parts = score.parts.filter((part) => part.lost >= 0.05).sort((a, b) => b.lost - a.lost);
  if (parts.length === 0) return 'Nothing lost: latency, errors, waiting and nodes are as they should be.';
  return parts.map((part) => `${part.name} −${part.lost.toFixed(1)} (${part.why})`).join(' · ');
}

function finding(one: Finding): HTMLElement {
  const kind = one.severity === 'crit' ? 'crit' : one.severity === 'warn' ? 'warn' : 'off';
  const words = { crit: 'urgent', warn: 'look at', info: 'notice' }[one.severity];
  return h(
    'li',
    { class: `finding ${kind}` },
    h('div', {}, badge(words, kind), ' ', h('strong', {}, one.title)),
    h('p', { class: 'evidence' }, one.evidence),
    h('p', {}, one.action, ' ', h('a', { href: one.link, 'data-key': one.title }, 'Open')),
  );
}

function tile(name: string): { element: HTMLElement; show(value: string, note: string, points: (number | null)[]): void } {
  const value = h('strong', { class: 'tile-value' });
  const note = h('span', { class: 'note' });
  const spark = h('div', { class: 'tile-spark' });
  const element = h('section', { class: 'card tile', 'aria-label': name }, h('h3', {}, name), h('div', { class: 'tile-row' }, value, spark), note);
  return {
    element,
    show(text, small, points) {
      value.textContent = text;
      note.textContent = small;
      replace(spark, sparkline(points, `${name}, the last two minutes`));
    },
  };
}

export function node(one: DbNode): HTMLElement {
  const well = one.breaker === 'closed' && one.standing !== 'down';
  const words = well ? (one.drained ? 'drained' : 'ok') : 'down';
  const facts = [
    one.lag_ms !== null && one.role === 'replica' ? `at most ${ms(one.lag_ms)} behind` : null,
    one.answered_ms !== null ? `answered ${ago(one.answered_ms)} ago` : null,
    `${one.servers_active} of ${one.servers} servers busy`,
    well ? null : one.last_error,
  ];
  return h('li', { class: 'node' }, h('div', {}, badge(words, well ? (one.drained ? 'warn' : 'ok') : 'crit'), ' ', h('strong', {}, one.name), ' ', h('span', { class: 'tag' }, one.role)), h('p', { class: 'note' }, facts.filter(Boolean).join(' · ')));
}

export function overview(): Page {
  const title = h('h1', { tabindex: '-1' });
  const why = h('p', { class: 'note' });
  const score = h('div');
  const findings = h('ol', { class: 'findings' });
  const tiles = { qps: tile('Statements per second'), p99: tile('P99'), errors: tile('Errors per second'), waiting: tile('Clients waiting') };
  const charts = {
    qps: chart('Throughput', 'Statements and errors per second', [
      { label: 'statements', colour: '--c-1', fill: true },
      { label: 'errors', colour: '--c-4' },
    ], rate),
    latency: chart('Latency', 'Time of statements, waiting included', [
      { label: 'P50', colour: '--c-2' },
      { label: 'P95', colour: '--c-3' },
      { label: 'P99', colour: '--c-4' },
    ], ms),
    load: chart('Load', 'Servers at work on average, what waits for one on top, and how many there may be', [
      { label: 'working', colour: '--c-1', fill: true },
      { label: 'waiting', colour: '--c-4', stacked: true },
      { label: 'servers at most', colour: '--c-5', dashed: true },
    ], rate),
    clients: chart('Clients', 'By what they do', [
      { label: 'active', colour: '--c-1', fill: true },
      { label: 'in transaction', colour: '--c-3', stacked: true },
      { label: 'waiting', colour: '--c-4', stacked: true },
      { label: 'idle', colour: '--c-5', stacked: true },
    ], count),
  };
  const top = h('ol', { class: 'top' });
  const nodes = h('ul', { class: 'nodes' });
  const trouble = h('div');
  const element = h(
    'div',
    {},
    h('header', { class: 'page-head verdict' }, score, h('div', { class: 'grow' }, title, why)),
    trouble,
    h('section', { 'aria-label': 'Do first' }, findings),
    h('div', { class: 'tiles' }, tiles.qps.element, tiles.p99.element, tiles.errors.element, tiles.waiting.element),
    h('div', { class: 'charts' }, charts.qps.element, charts.latency.element, charts.load.element, charts.clients.element),
    h('div', { class: 'charts' }, card('Where the time goes', top), card('Nodes', nodes)),
  );
  let shown = '';
  const ask = polled(
    async () => ({ queries: await get<Queries>('queries?limit=6'), nodes: await get<Nodes>('nodes') }),
    (value) => {
      const whole = value.queries.totals.total_ms;
      if (value.queries.queries.length === 0) replace(top, empty('No statements yet', 'They appear a second after the first one was answered.'));
      else
        replace(
          top,
          ...value.queries.queries.map((query) => {
            const share = h('span', { class: 'share' });
            share.style.width = `${whole > 0 ? (100 * query.total_ms) / whole : 0}%`;
            return h(
              'li',
              {},
              h('div', { class: 'top-line' }, h('a', { href: query.fingerprint ? `#/queries/${query.fingerprint}` : '#/queries', class: 'sql', 'data-key': `top-${query.fingerprint}` }, query.statement || '(not looked at)'), h('span', { class: 'num' }, percent(query.total_ms, whole))),
              h('div', { class: 'track' }, share),
              h('span', { class: 'note' }, `${count(query.calls)} calls · P99 ${ms(query.p99_ms)}`),
            );
          }),
        );
      if (value.nodes.nodes.length === 0) replace(nodes, empty('No node has been asked yet', 'The first client makes Howdah open a server.'));
      else replace(nodes, ...value.nodes.nodes.map(node));
    },
    trouble,
    3,
  );
  return {
    element,
    tick() {
      title.textContent = sentence();
      why.textContent = lost(now.score);
      replace(score, dial(now.score));
      const signature = JSON.stringify(now.findings);
      if (signature !== shown) {
        shown = signature;
        replace(findings, ...now.findings.map(finding));
      }
      const points = now.points;
      const last = points.at(-1);
      if (last) {
        const recent = points.slice(-120);
        tiles.qps.show(rate(last.qps), `${rate(last.rows)} rows per second`, recent.map((point) => point.qps));
        tiles.p99.show(ms(last.p99), `P50 ${ms(last.p50)}`, recent.map((point) => point.p99));
        tiles.errors.show(rate(last.eps), percent(last.eps, Math.max(last.qps, last.eps)) + ' of statements', recent.map((point) => point.eps));
        tiles.waiting.show(count(last.waiting), `${count(now.overview?.clients)} connected, ${last.sv_active} of ${last.sv_max} servers busy`, recent.map((point) => point.waiting));
      }
      const times = points.map((point) => point.t);
      charts.qps.update(times, [points.map((point) => point.qps), points.map((point) => point.eps)]);
      charts.latency.update(times, [points.map((point) => point.p50), points.map((point) => point.p95), points.map((point) => point.p99)]);
      charts.load.update(times, [points.map((point) => point.working), points.map((point) => point.queued), points.map((point) => point.sv_max)]);
      charts.clients.update(times, [points.map((point) => point.active), points.map((point) => point.in_transaction), points.map((point) => point.waiting), points.map((point) => point.idle)]);
      return ask();
    },
    close() {
      Object.values(charts).forEach((one) => one.destroy());
    },
  };
}

