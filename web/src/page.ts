// What a page is: made when it is opened, told every second that there is something new, closed when another one is opened.

import { h, replace } from './dom';

export interface Page {
  element: HTMLElement;
  /** Every second, and once at the beginning. */
  tick(): void | Promise<void>;
  close?(): void;
}

/** A heading with what the page is for. */
export function heading(title: string, what: string, ...more: HTMLElement[]): HTMLElement {
  return h('header', { class: 'page-head' }, h('div', {}, h('h1', { tabindex: '-1' }, title), h('p', { class: 'note' }, what)), ...more);
}

/** A card. */
export function card(title: string, ...content: (Node | string)[]): HTMLElement {
  return h('section', { class: 'card', 'aria-label': title }, h('h3', {}, title), ...content);
}

/** A number with its name, in a list of them. */
export function fact(name: string, value: string): HTMLElement {
  return h('div', {}, h('dt', {}, name), h('dd', {}, value));
}

/** Runs a request that may fail, and says so in its place; not more often than it is answered. */
export function polled<T>(ask: () => Promise<T>, show: (value: T) => void, trouble: HTMLElement, every = 2): () => Promise<void> {
  let [busy, skipped] = [false, every];
  return async () => {
    skipped += 1;
    if (busy || skipped < every) return;
    [busy, skipped] = [true, 0];
    try {
      const value = await ask();
      replace(trouble);
      show(value);
    } catch (error) {
      replace(trouble, h('p', { class: 'trouble', role: 'alert' }, `Not up to date: ${error instanceof Error ? error.message : String(error)}`));
    } finally {
      busy = false;
    }
  };
}

/** A button that copies a text. Where the browser does not let pages do that, it marks what stands beside it. */
export function copied(text: () => string, name: string, key?: string): HTMLElement {
  const button = h('button', { type: 'button', class: 'quiet', 'aria-label': name, 'data-key': key }, 'Copy');
  const tell = (word: string): void => {
    button.textContent = word;
    window.setTimeout(() => (button.textContent = 'Copy'), 1_500);
  };
  const mark = (): void => {
    const beside = button.parentElement?.querySelector('pre, code');
    if (beside) window.getSelection()?.selectAllChildren(beside);
    tell('Marked');
  };
  button.addEventListener('click', () => {
    // Pages that did not come over TLS or from this machine have no clipboard.
    const clipboard = navigator.clipboard as Clipboard | undefined;
    if (clipboard) clipboard.writeText(text()).then(() => tell('Copied'), mark);
    else mark();
  });
  return button;
}

export function badge(text: string, kind: 'ok' | 'warn' | 'crit' | 'off'): HTMLElement {
  const sign = { ok: '●', warn: '▲', crit: '■', off: '○' }[kind];
  return h('span', { class: `badge ${kind}` }, h('span', { 'aria-hidden': 'true' }, sign), ` ${text}`);
}

/** A bar of parts of a whole. */
export function bar(parts: { value: number; colour: string; label: string }[], whole: number): HTMLElement {
  const element = h('div', { class: 'bar', role: 'img', 'aria-label': parts.map((part) => `${part.value} ${part.label}`).join(', ') + ` of ${whole}` });
  for (const part of parts) {
    const piece = h('span', { title: `${part.value} ${part.label}` });
    piece.style.width = `${whole > 0 ? Math.min(100, (100 * part.value) / whole) : 0}%`;
    piece.style.background = `var(${part.colour})`;
    element.append(piece);
  }
  return element;
}
