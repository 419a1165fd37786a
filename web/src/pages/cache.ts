// What the result cache answers, and why it does not.

import { get, type Cache } from '../api';
import { empty, h, replace } from '../dom';
import { ago, bytes, count, percent } from '../format';
import { badge, bar, fact, heading, polled, type Page } from '../page';
import { table } from '../table';

type One = Cache['databases'][number];

/** What the words of reasons mean. */
const REASONS: Record<string, string> = {
  off: 'the session, the statement or the configuration wants no cache',
  shape: 'not one statement with its parameters, as drivers send it',
  fence: 'the session has seen, or written, something newer than the answer',
  'no-stream': 'PostgreSQL’s changes are not followed',
  lease: 'the last news of changes was too old',
  definitions: 'tables were just defined anew',
  floor: 'the answer is from before the changes were followed',
  changed: 'what the answer depends on has changed',
  'in-doubt': 'a change was on its way',
  'not-worth-it': 'asked too seldom, or changed too often, to be worth keeping',
};

function state(one: One, forced: string | null): HTMLElement {
  const mode = forced ?? one.mode ?? 'off';
  if (mode === 'off') return badge('off', 'off');
  if (one.trouble) return badge('not answering', 'crit');
  return mode === 'observe' ? badge('observes', 'warn') : badge('on', 'ok');
}

function database(one: One, forced: string | null): HTMLElement {
  const lookups = one.hits + one.would_hit + one.misses;
  const reasons = table<[string, number]>(
    `Why ${one.database} was not answered from the cache`,
    [
      { name: 'Why not', grow: true, by: ([word]) => word, cell: ([word]) => h('div', {}, REASONS[word] ?? word, h('div', { class: 'note' }, word)) },
      { name: 'Times', numeric: true, by: ([, times]) => times, cell: ([, times]) => count(times) },
    ],
    () => empty('No reason yet', 'Nothing was turned away.'),
    1,
  );
  reasons.update(Object.entries(one.reasons));
  return h(
    'section',
    { class: 'card', 'aria-label': one.database },
    h('div', { class: 'spread' }, h('h3', {}, one.database), state(one, forced)),
    one.trouble && h('p', { class: 'trouble' }, one.trouble),
    bar(
      [
        { value: one.hits, colour: '--c-1', label: 'from the cache' },
        { value: one.would_hit, colour: '--c-3', label: 'would have been' },
      ],
      lookups,
    ),
    h('p', { class: 'note' }, lookups === 0 ? 'Nothing was looked up yet.' : `${percent(one.hits + one.would_hit, lookups)} of ${count(lookups)} look-ups`),
    h(
      'dl',
      { class: 'facts' },
      fact('Answered', count(one.hits)),
      fact('Looked up in vain', count(one.misses)),
      fact('Waited for an equal one', count(one.coalesced)),
      one.shared > 0 && fact('Kept by another instance', count(one.shared)),
      fact('Kept', count(one.kept)),
      one.patched > 0 && fact('Made anew from a change', count(one.patched)),
      fact('Bytes answered', bytes(one.answered_bytes)),
      fact('PostgreSQL’s time saved', ago(one.saved_ms)),
      fact('Bound on staleness', one.bound_ms === null ? '–' : `${one.bound_ms.toFixed(0)} ms`),
      fact('Age of the last news', one.news_ms === null ? 'none' : `${one.news_ms.toFixed(0)} ms`),
    ),
    reasons.element,
  );
}

/** What instances share, in one line. */
function others(shared: Cache['shared']): string {
  if (!shared) return '';
  const state = shared.open ? 'answers' : `is not asked${shared.trouble ? `: ${shared.trouble}` : ''}`;
  const asked = shared.hits + shared.misses + shared.refused;
  const mean = asked > 0 ? `, ${(shared.waited_ms / asked).toFixed(1)} ms in the mean` : '';
  return ` · the shared cache ${state}: ${count(shared.hits)} of ${count(asked)} found and valid${mean}, ${count(shared.written)} put there`;
}

export function cache(): Page {
  const list = h('div', { class: 'charts' });
  const summary = h('p', { class: 'note' });
  const trouble = h('div');
  const ask = polled(
    () => get<Cache>('cache'),
    (value) => {
      summary.textContent = `${count(value.answers)} answers of ${bytes(value.bytes)} are kept${value.forced ? ` · an administrator has said: ${value.forced}` : ''}${others(value.shared)}`;
      replace(
        list,
        ...(value.databases.length > 0
          ? value.databases.map((one) => database(one, value.forced))
          : [empty('No database uses the cache', 'Write ', h('code', {}, 'mode = "observe"'), ' under ', h('code', {}, '[cache]'), ' to see what it would answer before it does, or ', h('code', {}, '"on"'), '. ', h('code', {}, 'howdah setup --print'), ' shows what PostgreSQL needs for it.')]),
      );
    },
    trouble,
  );
  return { element: h('div', {}, heading('Cache', 'Answers that are given again for as long as nothing that they depend on has changed.'), summary, trouble, list), tick: ask };
}
