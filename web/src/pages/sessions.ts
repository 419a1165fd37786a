// Who does what now; cancel it.

import { get, post, type Session } from '../api';
import { empty, h, replace } from '../dom';
import { ago, count } from '../format';
import { outsiders } from '../outsiders';
import { badge, heading, polled, type Page } from '../page';
import { table } from '../table';

const KINDS: Record<string, 'ok' | 'warn' | 'crit' | 'off'> = { active: 'ok', waiting: 'crit', 'idle in transaction': 'warn', pinned: 'warn', idle: 'off', login: 'off' };

export function sessions(): Page {
  let all: Session[] = [];
  let quiet = false;
  const trouble = h('div');
  const said = h('p', { class: 'note', role: 'status' });
  const filter = h('input', { type: 'search', placeholder: 'Filter  ( / )', 'aria-label': 'Filter sessions', id: 'filter' });
  const idle = h('input', { type: 'checkbox' });
  idle.addEventListener('change', () => {
    quiet = idle.checked;
    show();
  });
  const dialog = h('dialog', { 'aria-label': 'Confirm' });

  function ask(session: Session, verb: 'cancel' | 'disconnect'): void {
    const name = session.application || `session ${session.id}`;
    const words = verb === 'cancel' ? `Cancel what ${name} runs? Its client gets error 57014 and stays connected.` : `Disconnect ${name}? What it runs ends, its transaction is rolled back.`;
    const no = h('button', { type: 'button' }, 'No');
    const yes = h('button', { type: 'button', class: 'danger' }, verb === 'cancel' ? 'Cancel the statement' : 'Disconnect');
    no.addEventListener('click', () => dialog.close());
    yes.addEventListener('click', () => {
      dialog.close();
      void post(`sessions/${session.id}/${verb}`).then(
        () => (said.textContent = `${verb === 'cancel' ? 'Cancelled' : 'Disconnected'}: ${name}`),
        (error: Error) => (said.textContent = `Not done: ${error.message}`),
      );
    });
    replace(dialog, h('p', {}, words), h('p', { class: 'note' }, session.statement ?? ''), h('div', { class: 'spread' }, no, yes));
    dialog.showModal();
  }

  const list = table<Session>(
    'Sessions',
    [
      { name: 'State', by: (session) => session.state, cell: (session) => badge(session.state, session.state === 'waiting' && (session.waiting_ms ?? 0) < 1_000 ? 'warn' : (KINDS[session.state] ?? 'off')) },
      { name: 'For', numeric: true, by: (session) => session.requested_ms, cell: (session) => ago(session.waiting_ms ?? session.requested_ms) },
      {
        name: 'Statement',
        grow: true,
        cell: (session) => h('div', {}, session.fingerprint && session.statement ? h('a', { class: 'sql', href: `#/queries/${session.fingerprint}`, 'data-key': `s-${session.id}` }, session.statement) : h('span', { class: 'note' }, 'nothing yet'), h('div', { class: 'note' }, `${session.user} on ${session.database} · ${session.address}`)),
      },
      { name: 'Application', wide: true, by: (session) => session.application, cell: (session) => session.application || '–' },
      { name: 'Transaction', numeric: true, wide: true, by: (session) => session.transaction_ms ?? 0, cell: (session) => (session.transaction_ms === null ? '–' : ago(session.transaction_ms)) },
      { name: 'Requests', numeric: true, wide: true, by: (session) => session.requests, cell: (session) => count(session.requests) },
      { name: 'Pinned', wide: true, by: (session) => session.pin ?? '', cell: (session) => session.pin ?? '–' },
      {
        name: 'Do',
        cell: (session) => {
          const works = session.state === 'active' || session.state === 'waiting';
          const button = h('button', { type: 'button', class: 'quiet', 'data-key': `b-${session.id}` }, works ? 'Cancel' : 'Disconnect');
          button.addEventListener('click', () => ask(session, works ? 'cancel' : 'disconnect'));
          return button;
        },
      },
    ],
    () => empty('No sessions to show', 'Idle ones are left out unless you ask for them.'),
  );
  const show = () => {
    const wanted = filter.value.trim().toLowerCase();
    const shown = all.filter((session) => (quiet || session.state !== 'idle') && (!wanted || [session.statement ?? '', session.user, session.database, session.application, session.state].some((text) => text.toLowerCase().includes(wanted))));
    list.update(shown);
  };
  filter.addEventListener('input', show);
  const past = outsiders();
  const summary = h('p', { class: 'note' });
  const poll = polled(
    () => get<{ all: number; sessions: Session[] }>('sessions'),
    (value) => {
      all = value.sessions;
      const of = (state: string) => all.filter((session) => session.state === state).length;
      summary.textContent = `${count(value.all)} connected: ${of('active')} active, ${of('waiting')} waiting, ${of('idle in transaction')} idle in transaction, ${of('idle')} idle`;
      if (!dialog.open) show();
    },
    trouble,
    1,
  );
  return { element: h('div', {}, heading('Sessions', 'Clients that are connected, those that wait first.', h('label', { class: 'check' }, idle, ' idle ones, too'), filter), summary, said, trouble, h('section', { class: 'card' }, list.element), past.element, dialog), tick: async () => void (await Promise.all([poll(), past.tick()])) };
}
