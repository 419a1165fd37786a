// What is wrong, the cause first; the rules with their numbers; silences; where messages went.

import { get, post, type Alert, type AlertRule, type Alerts } from '../api';
import { empty, h, replace } from '../dom';
import { ago, count } from '../format';
import { badge, card, heading, polled, type Page } from '../page';
import { table } from '../table';

const KINDS: Record<string, 'ok' | 'warn' | 'crit' | 'off'> = { critical: 'crit', warning: 'warn', info: 'off' };
const HOURS = 3_600;

export function alerts(): Page {
  const trouble = h('div');
  const said = h('p', { class: 'note', role: 'status' });
  const now = h('div');
  const silences = h('div');

  function silence(rule: string, seconds: number): void {
    void post(`alerts/silence?rule=${encodeURIComponent(rule)}&for_s=${seconds}&reason=from+the+dashboard`).then(
      () => (said.textContent = seconds > 0 ? `Nobody is told of ${rule} for ${seconds / HOURS} h` : `Messages about ${rule} are sent again`),
      (error: Error) => (said.textContent = `Not done: ${error.message}`),
    );
  }

  function button(text: string, key: string, act: () => void): HTMLElement {
    const element = h('button', { type: 'button', class: 'quiet', 'data-key': key }, text);
    element.addEventListener('click', act);
    return element;
  }

  function one(alert: Alert): HTMLElement {
    const about = [alert.state, alert.cause && `because of ${alert.cause}`, alert.silenced && 'silenced', alert.flapping && 'comes and goes'].filter(Boolean).join(' · ');
    return h(
      'section',
      { class: 'card', 'aria-label': alert.title },
      h('div', { class: 'spread' }, h('h3', {}, h('a', { href: alert.page }, alert.title)), badge(alert.severity, KINDS[alert.severity] ?? 'off')),
      h('p', { class: 'note' }, `${alert.rule} · ${about} · for ${ago(alert.lasting_s * 1_000)}`),
      h('p', { class: 'evidence' }, alert.evidence),
      h('div', { class: 'spread' }, h('p', {}, `First: ${alert.first_step}`), alert.silenced ? button('Tell again', `u-${alert.rule}`, () => silence(alert.rule, 0)) : button('Silence for 2 h', `s-${alert.rule}`, () => silence(alert.rule, 2 * HOURS))),
    );
  }

  const rules = table<AlertRule>(
    'Rules',
    [
      { name: 'Rule', by: (rule) => rule.name, cell: (rule) => rule.name },
      { name: 'Severity', by: (rule) => rule.severity, cell: (rule) => (rule.enabled ? badge(rule.severity, KINDS[rule.severity] ?? 'off') : badge('not looked at', 'off')) },
      { name: 'Wrong when', grow: true, cell: (rule) => h('div', {}, rule.condition, h('div', { class: 'note' }, rule.first_step)) },
      { name: 'For', numeric: true, by: (rule) => rule.for_s, cell: (rule) => (rule.for_s > 0 ? ago(rule.for_s * 1_000) : 'at once') },
      { name: 'Now', numeric: true, cell: (rule) => rule.now ?? '–' },
    ],
    () => empty('No rules', 'alerts.enabled turns them on.'),
  );
  const past = table<Alerts['past'][number]>(
    'What is over',
    [
      { name: 'What', grow: true, cell: (one) => one.title },
      { name: 'Began', numeric: true, by: (one) => one.began_s, cell: (one) => `${ago(one.began_s * 1_000)} ago` },
      { name: 'Lasted', numeric: true, by: (one) => one.began_s - one.ended_s, cell: (one) => ago((one.began_s - one.ended_s) * 1_000) },
    ],
    () => empty('Nothing was wrong', 'since this process started.'),
  );
  const sinks = table<Alerts['sinks'][number]>(
    'Sinks',
    [
      { name: 'Sink', by: (sink) => sink.name, cell: (sink) => sink.name },
      { name: 'Sent', numeric: true, by: (sink) => sink.sent, cell: (sink) => count(sink.sent) },
      { name: 'Failed', numeric: true, by: (sink) => sink.failed, cell: (sink) => count(sink.failed) },
    ],
    () => empty('Nobody is told', 'Messages are in the log alone. [[alerts.sink]] in the configuration sends them to Slack, Discord, PagerDuty, a webhook or a mailbox.'),
  );
  const ask = polled(
    () => get<Alerts>('alerts'),
    (value) => {
      const all = [...value.firing, ...value.pending];
      const focused = document.activeElement instanceof HTMLElement ? document.activeElement.dataset['key'] : undefined;
      replace(now, ...(all.length > 0 ? all.map(one) : [h('section', { class: 'card' }, value.enabled ? empty('Nothing is wrong', `${value.rules.length} rules are looked at every second.`) : empty('Nothing is looked at', 'alerts.enabled is false.'))]));
      replace(silences, ...value.silences.map((one) => h('p', { class: 'note' }, `${one.rule ?? 'All rules'} silenced for ${ago(one.left_s * 1_000)} more${one.reason ? `: ${one.reason}` : ''} `, button('End', `e-${one.id}`, () => silence(one.rule ?? 'all', 0)))));
      if (focused) document.querySelector<HTMLElement>(`[data-key="${CSS.escape(focused)}"]`)?.focus();
      rules.update(value.rules);
      past.update(value.past);
      sinks.update(value.sinks);
    },
    trouble,
  );
  return { element: h('div', {}, heading('Alerts', 'What is wrong for long enough that somebody should know, the cause first.'), said, trouble, now, silences, card('Sinks', sinks.element), card('Over', past.element), card('Rules', rules.element)), tick: ask };
}
