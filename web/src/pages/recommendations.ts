// What would make the databases better: why, the numbers, what it costs, the statements, and what became of it. Nothing is carried out
// here: the command for that is shown.

import { get, post, type Recommendation, type Recommendations } from '../api';
import { empty, h, replace, type Child } from '../dom';
import { bytes, count, ms, percent, when } from '../format';
import { indexes } from '../indexes';
import { badge, copied, fact, heading, polled, type Page } from '../page';

type Sign = 'ok' | 'warn' | 'crit' | 'off';

const IMPACTS: Record<Recommendation['impact'], { rank: number; sign: Sign; words: string }> = {
  high: { rank: 0, sign: 'crit', words: 'do it today' },
  medium: { rank: 1, sign: 'warn', words: 'worth an hour' },
  low: { rank: 2, sign: 'off', words: 'tidiness' },
};

/** What states are called for people. */
const STATES: Record<string, { sign: Sign; words: string }> = {
  open: { sign: 'off', words: 'open' },
  applying: { sign: 'warn', words: 'being carried out' },
  applied: { sign: 'ok', words: 'carried out, not measured yet' },
  verified: { sign: 'ok', words: 'carried out, measured to be better' },
  neutral: { sign: 'warn', words: 'carried out, measured to make no difference' },
  regressed: { sign: 'crit', words: 'carried out, measured to be worse' },
  reverting: { sign: 'warn', words: 'being taken back' },
  reverted: { sign: 'off', words: 'taken back' },
  dismissed: { sign: 'off', words: 'not wanted' },
};

/** What is chosen from, with the states that it means. */
const CHOICES: { name: string; key: string; states: string[] }[] = [
  { name: 'To decide', key: '', states: ['open', 'applying', 'reverting'] },
  { name: 'Carried out', key: 'done', states: ['applied', 'verified', 'neutral', 'regressed'] },
  { name: 'Taken back', key: 'back', states: ['reverted'] },
  { name: 'Dismissed', key: 'dismissed', states: ['dismissed'] },
];
const DONE = CHOICES[1]?.states ?? [];

const KINDS: Record<string, string> = {
  create_index: 'new index',
  drop_redundant_index: 'superfluous index',
  drop_unused_index: 'unused index',
  drop_invalid_index: 'invalid index',
  rebuild_index: 'bloated index',
  analyze: 'statistics',
  extended_statistics: 'statistics on columns',
  rewrite: 'other text',
  n_plus_one: 'n+1',
  setting: 'setting',
  schema: 'definition',
  materialized_view: 'materialized view',
};

const kindOf = (one: Recommendation): string => KINDS[one.kind] ?? one.kind.replaceAll('_', ' ');

function confidence(share: number): string {
  const words = share >= 0.9 ? 'very' : share >= 0.7 ? 'quite' : share >= 0.5 ? 'somewhat' : 'not very';
  return `${words} (${percent(share, 1)})`;
}

function disk(one: Recommendation): string {
  if (one.bytes === 0) return 'none';
  return one.bytes > 0 ? `about ${bytes(one.bytes)} more` : `about ${bytes(-one.bytes)} less`;
}

function writes(one: Recommendation): string {
  if (Math.abs(one.writes) < 0.0005) return 'no slower';
  return `${percent(Math.abs(one.writes), 1)} ${one.writes > 0 ? 'slower' : 'faster'}`;
}

const keyOf = (one: Recommendation): string => `${one.place}/${one.id}`;

/** Statements with a button that copies them. */
function sql(name: string, statements: string[], key: string): HTMLElement {
  const text = statements.map((statement) => `${statement.replace(/;\s*$/, '')};`).join('\n');
  return h('div', { class: 'statement' }, h('pre', { class: 'sql whole', tabindex: '0', 'aria-label': name }, text), copied(() => text, `${name}: copy`, key));
}

function evidence(one: Recommendation): HTMLElement | false {
  if (one.evidence.length === 0) return false;
  const then = one.evidence.some((fact) => fact.then);
  return h(
    'div',
    { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Evidence' },
    h(
      'table',
      {},
      h('thead', {}, h('tr', {}, h('th', {}, 'Evidence'), h('th', {}, 'Now'), then && h('th', {}, 'Then'))),
      h(
        'tbody',
        {},
        ...one.evidence.map((fact) => h('tr', {}, h('td', { class: 'grow' }, fact.what, fact.check && h('div', { class: 'note' }, 'see: ', h('code', {}, fact.check))), h('td', { class: 'fact' }, fact.now), then && h('td', { class: fact.then ? 'fact then' : 'fact' }, fact.then || '–'))),
      ),
    ),
  );
}

function measured(one: Recommendation): HTMLElement | false {
  if (one.verdict === null) return false;
  return h(
    'div',
    {},
    h('p', {}, h('b', {}, 'Measured: '), `${one.verdict}.`),
    one.measured.length > 0 &&
      h(
        'div',
        { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Measured' },
        h(
          'table',
          {},
          h('thead', {}, h('tr', {}, h('th', {}, 'Statement'), h('th', { class: 'num' }, 'Before'), h('th', { class: 'num' }, 'After'), h('th', { class: 'num wide' }, 'Calls since'))),
          h(
            'tbody',
            {},
            ...one.measured.map((it) => {
              const sign = it.state === 'verified' ? 'faster' : it.state === 'regressed' ? 'slower' : '';
              return h('tr', {}, h('td', { class: 'grow' }, h('span', { class: 'sql' }, it.statement)), h('td', { class: 'num' }, ms(it.before_ms)), h('td', { class: 'num' }, h('span', { class: sign }, ms(it.after_ms))), h('td', { class: 'num wide' }, count(Math.round(it.calls))));
            }),
          ),
        ),
      ),
  );
}

/** Something that is folded, and stays as it was when the card is made anew. */
function fold(key: string, open: Set<string>, title: string, ...content: Child[]): HTMLElement {
  const element = h('details', { open: open.has(key) }, h('summary', { 'data-key': key }, title), ...content);
  element.addEventListener('toggle', () => (element.open ? open.add(key) : open.delete(key)));
  return element;
}

function story(one: Recommendation): HTMLElement[] {
  const runs = one.runs.map((run) => ({
    at: run.begun_ms,
    element: h(
      'li',
      {},
      h('p', {}, `${when(run.begun_ms)}: ${run.direction === 'undo' ? 'taken back' : 'carried out'} by ${run.who}: ${run.ended_ms === null ? 'goes on, or was interrupted' : run.outcome}`),
      ...run.statements.map((it) => h('p', { class: 'note' }, h('code', {}, it.sql), ` ${it.ended_ms === null ? 'not known how it ended' : `${ms(it.ended_ms - it.sent_ms)}, ${it.outcome}`}`)),
    ),
  }));
  const told = one.events.filter((event) => ['open', 'verified', 'neutral', 'regressed', 'dismissed'].includes(event.state));
  const events = told.map((event) => ({ at: event.at_ms, element: h('li', {}, `${when(event.at_ms)}: ${STATES[event.state]?.words ?? event.state}${event.who ? ` (${event.who})` : ''}${event.text ? `: ${event.text}` : ''}`) }));
  return [...runs, ...events].sort((a, b) => a.at - b.at).map((it) => it.element);
}

/** The one that comes first: high impact, much saved, sure. */
function order(a: Recommendation, b: Recommendation): number {
  return IMPACTS[a.impact].rank - IMPACTS[b.impact].rank || (b.saves ?? 0) - (a.saves ?? 0) || b.confidence - a.confidence || a.title.localeCompare(b.title);
}

export function recommendations(rest: string): Page {
  let [chosen, kind, database] = [CHOICES.find((one) => one.key === rest) ?? CHOICES[0], '', ''];
  let all: Recommendations | null = null;
  let shown = '';
  const open = new Set<string>();
  const trouble = h('div');
  const said = h('p', { class: 'note', role: 'status' });
  const summary = h('p', { class: 'note' });
  const list = h('div', { class: 'cards' });
  const dialog = h('dialog', { 'aria-label': 'Dismiss' });
  const kinds = h('select', { 'aria-label': 'Kind', id: 'filter' });
  const databases = h('select', { 'aria-label': 'Database' });
  const choices = CHOICES.map((one) => {
    const button = h('button', { type: 'button', class: 'quiet' }, one.name);
    button.addEventListener('click', () => choose(one));
    return button;
  });

  function choose(one: (typeof CHOICES)[number]): void {
    chosen = one;
    window.history.replaceState(null, '', `#/recommendations${one.key ? `/${one.key}` : ''}`);
    draw();
  }
  kinds.addEventListener('change', () => {
    kind = kinds.value;
    draw();
  });
  databases.addEventListener('change', () => {
    database = databases.value;
    draw();
  });

  function dismiss(one: Recommendation): void {
    const reason = h('input', { type: 'text', id: 'reason', maxlength: 200, placeholder: 'the table goes away in March' });
    const no = h('button', { type: 'button' }, 'Keep it');
    const yes = h('button', { type: 'submit', class: 'danger' }, 'Dismiss');
    const form = h('form', { method: 'dialog' }, h('p', {}, h('b', {}, one.title)), h('p', {}, 'It will not be offered again. Nothing is changed in the database.'), h('label', { for: 'reason' }, 'Why? '), reason, h('div', { class: 'spread' }, no, yes));
    no.addEventListener('click', () => dialog.close());
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      dialog.close();
      const asked = new URLSearchParams({ place: one.place, reason: reason.value });
      void post(`recommendations/${encodeURIComponent(one.id)}/dismiss?${asked}`).then(
        () => {
          said.textContent = `Not offered again: ${one.title}`;
          void look();
        },
        (error: Error) => (said.textContent = `Not done: ${error.message}`),
      );
    });
    replace(dialog, form);
    dialog.showModal();
  }

  function next(one: Recommendation): HTMLElement {
    const done = DONE.includes(one.state);
    const verb = done ? 'undo' : 'apply';
    const command = `howdah recommendations ${verb} ${one.id}`;
    const button = h('button', { type: 'button', class: 'quiet', 'data-key': `d-${keyOf(one)}` }, 'Dismiss…');
    button.addEventListener('click', () => dismiss(one));
    const words = one.apply.length === 0 ? h('p', { class: 'note' }, 'For a person to do: Howdah has no statement for it.') : h('p', { class: 'command' }, h('span', { class: 'note' }, done ? 'To take it back: ' : 'To carry it out: '), h('code', {}, command), ' ', copied(() => command, 'Command: copy', `c-${keyOf(one)}`));
    return h('div', { class: 'spread' }, words, one.state === 'open' && button);
  }

  function card(one: Recommendation): HTMLElement {
    const [impact, state, key] = [IMPACTS[one.impact], STATES[one.state] ?? { sign: 'off' as Sign, words: one.state }, keyOf(one)];
    const lines = story(one);
    const forms = one.statements.filter((form) => /^[0-9a-f]{16}$/.test(form)).slice(0, 5);
    return h(
      'section',
      { class: 'card advice', 'aria-label': one.title },
      h('div', { class: 'spread' }, h('h3', {}, one.title), h('span', { class: 'badges' }, h('span', { title: impact.words }, badge(`${one.impact} impact`, impact.sign)), ' ', one.state !== 'open' && badge(state.words, state.sign))),
      h('p', { class: 'note' }, `${kindOf(one)} · ${one.subject} · ${one.database}`),
      h('p', {}, one.why),
      h('dl', { class: 'facts' }, one.saves !== null && fact('Saves of server time', percent(one.saves, 1)), fact('Disk', disk(one)), fact('Writes of the table', writes(one)), fact('Sure', confidence(one.confidence))),
      measured(one),
      evidence(one),
      ...one.cautions.map((caution) => h('p', { class: 'caution' }, h('b', {}, 'Note: '), caution)),
      forms.length > 0 && h('p', { class: 'note' }, 'Statements it is for: ', ...forms.flatMap((form, at) => [at > 0 && ', ', h('a', { href: `#/queries/${form}`, 'data-key': `q-${form}-${key}` }, form)])),
      one.apply.length > 0 && sql('Statements', one.apply, `s-${key}`),
      one.undo.length > 0 && fold(`u-${key}`, open, 'The way back', sql('Way back', one.undo, `b-${key}`)),
      lines.length > 0 && fold(`r-${key}`, open, `What was done (${lines.length})`, h('ul', { class: 'story' }, ...lines)),
      next(one),
    );
  }

  function nothing(of: Recommendation[]): HTMLElement {
    if (all && !all.on) return empty('Nothing is written down', all.why ?? '');
    if (of.length === 0) return empty('Nothing is recommended', 'Howdah looks at the databases from time to time; ', h('code', {}, 'howdah recommendations list'), ' looks now: indexes, statistics, statements, definitions.');
    return empty('Nothing of that kind', 'Choose another state, or all kinds and databases.');
  }

  function options(select: HTMLSelectElement, chosen: string, whole: string, values: [string, string][]): void {
    replace(select, h('option', { value: '' }, whole), ...values.map(([value, name]) => h('option', { value, selected: value === chosen }, name)));
  }

  function draw(): void {
    if (!all) return;
    const of = all.recommendations;
    const focused = document.activeElement instanceof HTMLElement ? document.activeElement.dataset['key'] : undefined;
    const matches = of.filter((one) => (!kind || one.kind === kind) && (!database || one.place === database));
    CHOICES.forEach((one, at) => {
      const button = choices[at];
      if (!button) return;
      button.textContent = `${one.name} (${matches.filter((it) => one.states.includes(it.state)).length})`;
      button.setAttribute('aria-pressed', one === chosen ? 'true' : 'false');
    });
    options(kinds, kind, 'All kinds', [...new Map(of.map((one) => [one.kind, kindOf(one)]))]);
    options(databases, database, 'All databases', [...new Map(of.map((one) => [one.place, one.database]))]);
    const wanted = matches.filter((one) => chosen?.states.includes(one.state)).sort(order);
    const high = of.filter((one) => one.state === 'open' && one.impact === 'high').length;
    const [better, worse] = ['verified', 'regressed'].map((state) => of.filter((one) => one.state === state).length);
    summary.textContent = of.length === 0 ? '' : `${of.filter((one) => one.state === 'open').length} to decide, ${high} of high impact · ${of.filter((one) => DONE.includes(one.state)).length} carried out: ${better} measured to be better, ${worse} worse`;
    replace(list, ...(wanted.length > 0 ? wanted.map(card) : [h('section', { class: 'card' }, nothing(of))]));
    if (focused) list.querySelector<HTMLElement>(`[data-key="${CSS.escape(focused)}"]`)?.focus();
  }

  const show = (value: Recommendations): void => {
    // Cards are not made anew while somebody reads or marks them.
    const text = JSON.stringify(value);
    if (text === shown) return;
    [all, shown] = [value, text];
    draw();
  };
  const look = (): Promise<void> => get<Recommendations>('recommendations').then(show, () => undefined);
  const ask = polled(() => get<Recommendations>('recommendations'), show, trouble, 5);
  const used = indexes();
  return {
    element: h(
      'div',
      {},
      heading('Recommendations', 'What would make the databases better, and what became of it. Nothing is carried out from here.'),
      h('div', { class: 'controls' }, h('div', { class: 'choice', role: 'group', 'aria-label': 'State' }, ...choices), kinds, databases),
      summary,
      said,
      trouble,
      list,
      used.element,
      dialog,
    ),
    tick: () => Promise.all([ask(), used.tick()]).then(() => undefined),
  };
}
