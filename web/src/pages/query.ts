// One form of statements, closely.

import { get, type QueryDetail, type Slow, type SlowCall } from '../api';
import { empty, h, replace } from '../dom';
import { ago, count, ms, percent, rate } from '../format';
import { origins } from '../from';
import { bar, card, copied, fact, heading, polled, type Page } from '../page';
import { findings, reader, tree } from '../plan';
import { table } from '../table';

/** Buckets joined to halves of a doubling, so that a screen has room for them. */
function joined(buckets: [number, number, number][]): [number, number, number][] {
  const found = new Map<number, [number, number, number]>();
  for (const [from, to, calls] of buckets) {
    const key = Math.floor(2 * Math.log2(Math.max(from, 0.001)) + 1e-9);
    const known = found.get(key);
    if (known) [known[1], known[2]] = [to, known[2] + calls];
    else found.set(key, [from, to, calls]);
  }
  return [...found.entries()].sort(([a], [b]) => a - b).map(([, bucket]) => bucket);
}

/** The slow calls of a form: the newest that has a plan with it, the others in a list. */
function slowCalls(): { element: HTMLElement; update(calls: SlowCall[]): void } {
  const plan = h('div');
  let shown = -1;
  const list = table<SlowCall>(
    'Slow calls',
    [
      { name: 'When', cell: (call) => `${ago(call.ago_ms)} ago` },
      { name: 'Who', grow: true, cell: (call) => `${call.application || call.address} · ${call.user} on ${call.database}` },
      { name: 'Took', numeric: true, by: (call) => call.time_ms, cell: (call) => ms(call.time_ms) },
      { name: 'Waiting', numeric: true, wide: true, by: (call) => call.wait_ms, cell: (call) => ms(call.wait_ms) },
      { name: 'Rows', numeric: true, wide: true, cell: (call) => count(call.rows) },
      { name: 'Plan', cell: (call) => (call.plan ? 'yes' : (call.remark ?? '–')) },
    ],
    () => empty('No call was slow lately', 'pool.slow_threshold says from when on one is.'),
  );
  return {
    element: h('div', {}, plan, list.element),
    update(calls) {
      const explained = calls.find((call) => call.plan);
      if (explained?.plan && explained.id !== shown) {
        shown = explained.id;
        replace(plan, h('p', { class: 'note' }, `As PostgreSQL planned it on ${explained.node}${explained.remark ? `, ${explained.remark}` : ''}. Rows and costs are what it expects. Steps that cost the most are marked.`), ...findings(explained.findings), tree(explained.plan), h('details', {}, h('summary', {}, 'As text'), h('pre', { class: 'sql whole', tabindex: '0', 'aria-label': 'Plan as text' }, explained.plan_text ?? ''), copied(() => explained.plan_text ?? '', 'Plan: copy')));
      }
      list.update(calls.slice(0, 10));
    },
  };
}

export function query(fingerprint: string): Page {
  const title = h('pre', { class: 'sql whole' });
  const facts = h('dl', { class: 'facts' });
  const split = h('div');
  const histogram = h('div', { class: 'histogram' });
  const trouble = h('div');
  const copy = copied(() => title.textContent ?? '', 'Statement: copy');
  const by = table<QueryDetail['by'][number]>(
    'By database and user',
    [
      { name: 'User', by: (line) => line.user, cell: (line) => `${line.user} on ${line.database}`, grow: true },
      { name: 'Calls', numeric: true, by: (line) => line.calls, cell: (line) => count(line.calls) },
      { name: 'P99', numeric: true, by: (line) => line.p99_ms ?? 0, cell: (line) => ms(line.p99_ms) },
      { name: 'Errors', numeric: true, by: (line) => line.errors, cell: (line) => count(line.errors) },
      { name: 'Last seen', numeric: true, wide: true, by: (line) => -line.last_seen_s, cell: (line) => `${ago(line.last_seen_s * 1_000)} ago` },
    ],
    () => empty('Nobody', 'No line is kept for it.'),
  );
  const running = table<QueryDetail['running'][number]>(
    'Running now',
    [
      { name: 'Session', grow: true, cell: (session) => `${session.application || session.id} · ${session.user} on ${session.database}` },
      { name: 'State', cell: (session) => session.state },
      { name: 'For', numeric: true, cell: (session) => ago(session.requested_ms) },
    ],
    () => empty('It does not run right now', 'Sessions that run it, or wait to, appear here.'),
  );
  const from = origins({});
  const slow = slowCalls();
  const form = encodeURIComponent(fingerprint);
  const ask = polled(
    () => Promise.all([get<QueryDetail>(`queries/${form}`), get<Slow>(`slow?fingerprint=${form}`)]),
    ([value, late]) => {
      slow.update(late.slow);
      const all = value.totals;
      title.textContent = value.statement || '(not looked at: too long, or not text)';
      const errors = ['client', 'server', 'retryable', 'canceled'].map((fault) => [fault, value.by.reduce((sum, line) => sum + (line.errors_by[fault] ?? 0), 0)] as const);
      const wrong = errors.filter(([, times]) => times > 0).map(([fault, times]) => `${times} ${{ client: 'of the statement', server: 'of the server', retryable: 'worth another try', canceled: 'cancelled' }[fault]}`);
      replace(
        facts,
        fact('Calls', count(all.calls)),
        fact('P50', ms(all.p50_ms)),
        fact('P95', ms(all.p95_ms)),
        fact('P99', ms(all.p99_ms)),
        fact('P99.9', ms(all.p999_ms)),
        fact('Longest', ms(all.longest_ms)),
        fact('In all', ago(all.total_ms)),
        fact('Howdah itself, P50', ms(all.overhead_p50_ms)),
        fact('Howdah itself, P99', ms(all.overhead_p99_ms)),
        fact('Rows per call', rate(all.rows / Math.max(all.calls, 1))),
        fact('On replicas', percent(all.on_replica, all.calls)),
        fact('Shared a server', percent(all.shared, all.calls)),
        fact('From the cache', percent(all.cached, all.calls)),
        fact('Errors', all.errors === 0 ? 'none' : wrong.join(', ')),
        fact('Fingerprint', value.fingerprint),
      );
      replace(
        split,
        bar(
          [
            { value: Math.round(all.wait_ms), colour: '--c-4', label: 'ms waiting' },
            { value: Math.round(all.server_ms), colour: '--c-1', label: 'ms with a server' },
          ],
          Math.max(Math.round(all.total_ms), 1),
        ),
        h('p', { class: 'note' }, `${percent(all.wait_ms, all.total_ms)} waiting for a server, ${percent(all.server_ms, all.total_ms)} with one. `, all.wait_ms > all.server_ms ? 'It waits longer than it works: look at Pools before you look at the statement.' : 'The time is the statement’s own.'),
      );
      const buckets = joined(value.buckets);
      const most = Math.max(...buckets.map((bucket) => bucket[2]), 1);
      replace(
        histogram,
        h(
          'table',
          {},
          h('caption', { class: 'hidden' }, 'Calls by time'),
          h('thead', {}, h('tr', {}, h('th', {}, 'Time'), h('th', { class: 'grow' }, 'Calls'), h('th', { class: 'num' }, 'Number'))),
          h(
            'tbody',
            {},
            ...buckets.map(([from, to, calls]) => {
              const share = h('span', { class: 'share' });
              share.style.width = `${Math.max((100 * calls) / most, 0.5)}%`;
              return h('tr', {}, h('td', { class: 'num range' }, `${ms(from)} – ${ms(to)}`), h('td', { class: 'grow' }, h('div', { class: 'track' }, share)), h('td', { class: 'num' }, count(calls)));
            }),
          ),
        ),
      );
      from.update(value.from);
      by.update(value.by);
      running.update(value.running);
    },
    trouble,
  );
  return {
    element: h(
      'div',
      {},
      heading('Statement', 'One form, over all its literals.', h('a', { href: '#/queries', class: 'button' }, 'All queries')),
      trouble,
      h('section', { class: 'card statement' }, title, copy),
      h('section', { class: 'card' }, facts),
      h('div', { class: 'charts' }, card('Waiting or working', split), card('Running now', running.element)),
      card('Slow calls and plans', slow.element, reader(() => title.textContent ?? '')),
      h('div', { class: 'charts' }, card('How long calls take', histogram), card('Who calls it', by.element)),
      from.element,
    ),
    tick: ask,
  };
}
