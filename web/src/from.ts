// Which applications, machines and routes calls come from; a name can be chosen.

import type { From } from './api';
import { h, replace } from './dom';
import { ago, count, percent } from './format';

export type Facet = keyof From;

const FACETS: { facet: Facet; title: string; none: string; why: string }[] = [
  { facet: 'application', title: 'Application', none: 'without a name', why: 'application_name of the session' },
  { facet: 'address', title: 'Machine', none: 'unknown', why: 'where the client is connected from' },
  { facet: 'route', title: 'Route', none: 'says none', why: 'what a comment behind the statement says: SQLCommenter, query log tags' },
];

export interface Origins {
  element: HTMLElement;
  update(from: From): void;
}

/** Lists of names with their shares of the time. With `choose` each is a button that is pressed or not. */
export function origins(chosen: Partial<Record<Facet, string>>, choose?: (facet: Facet, name: string | null) => void): Origins {
  const element = h('div', { class: 'charts origins' });
  const line = (facet: Facet, none: string, one: From[Facet][number], whole: number) => {
    const shown = one.name === '*' ? 'others' : one.name || none;
    const share = h('span', { class: 'share' });
    share.style.width = `${whole > 0 ? (100 * one.total_ms) / whole : 0}%`;
    const label = h('span', { class: 'spread' }, h('span', { class: one.name && one.name !== '*' ? '' : 'note' }, shown), h('span', { class: 'note' }, `${percent(one.total_ms, whole)} · ${count(one.calls)} calls · ${ago(one.total_ms)}`));
    const content = [label, h('div', { class: 'track' }, share)];
    if (!choose || one.name === '*') return h('li', {}, ...content);
    const pressed = chosen[facet] === one.name;
    const button = h('button', { type: 'button', class: 'origin', 'aria-pressed': pressed ? 'true' : 'false', 'data-key': `${facet}=${one.name}` }, ...content);
    button.addEventListener('click', () => choose(facet, pressed ? null : one.name));
    return h('li', {}, button);
  };
  return {
    element,
    update(from) {
      const focused = document.activeElement instanceof HTMLElement ? document.activeElement.dataset['key'] : undefined;
      replace(
        element,
        ...FACETS.map(({ facet, title, none, why }) => {
          const whole = from[facet].reduce((sum, one) => sum + one.total_ms, 0);
          return h('section', { class: 'card', 'aria-label': title }, h('h3', { title: why }, title), h('ul', { }, ...from[facet].slice(0, 8).map((one) => line(facet, none, one, whole))), from[facet].length > 8 && h('p', { class: 'note' }, `and ${from[facet].length - 8} more`));
        }),
      );
      if (focused) element.querySelector<HTMLElement>(`[data-key="${CSS.escape(focused)}"]`)?.focus();
    },
  };
}
