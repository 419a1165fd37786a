// A plan as a tree: what each step does, what PostgreSQL expects of it, what came, its conditions; and what is wrong with it, in words.

import { postText, type PlanFinding, type PlanNode, type ReadPlan } from './api';
import { h, replace } from './dom';
import { count, ms, percent } from './format';
import { copied } from './page';

/** Steps that take so much of all are marked. */
const DEAR = 0.2;
/** So many times more or fewer rows than expected are marked. */
const WRONG = 10;

/** What a step takes without its inputs, where the work is: time if it was executed, else cost. */
function own(node: PlanNode, executed: boolean): number {
  const of = (one: PlanNode): number => (executed ? (one.ms ?? 0) : one.cost);
  return Math.max(of(node) - node.inputs.reduce((sum, input) => sum + of(input), 0), 0);
}

function whole(node: PlanNode, executed: boolean): number {
  return own(node, executed) + node.inputs.reduce((sum, input) => sum + whole(input, executed), 0);
}

/** Rows that came against those that were expected; each means one execution. */
function rows(node: PlanNode): HTMLElement {
  if (node.actual === null) return h('span', {}, `${count(Math.round(node.rows))} rows`);
  const [came, expected] = [Math.max(node.actual, 1), Math.max(node.rows, 1)];
  const wrong = Math.max(came, expected) >= 100 && Math.max(came / expected, expected / came) >= WRONG;
  return h('span', {}, `${count(Math.round(node.actual))} rows, `, h('span', { class: wrong ? 'bad' : '' }, `${count(Math.round(node.rows))} expected`), (node.loops ?? 1) > 1 && `, ${count(Math.round(node.loops ?? 1))} times`);
}

/** Steps and conditions; those that take the most are marked. */
export function tree(root: PlanNode): HTMLElement {
  const executed = root.ms !== null;
  const all = whole(root, executed);
  const item = (node: PlanNode): HTMLElement => {
    const part = all > 0 ? own(node, executed) / all : 0;
    const share = h('span', { class: 'share' });
    share.style.width = `${100 * part}%`;
    const took = executed ? ms(node.ms) : `cost ${count(Math.round(node.cost))}`;
    const blocks = (node.hit ?? 0) + (node.read ?? 0);
    const buffers = blocks > 0 ? ` · ${count(blocks)} blocks${node.read ? `, ${count(node.read)} of them read` : ''}` : '';
    return h(
      'li',
      {},
      h('p', { class: part >= DEAR && node.inputs.length + root.inputs.length > 0 ? 'step dearest' : 'step' }, h('b', {}, node.what), ' ', rows(node), ` · ${took}${buffers}`),
      part >= 0.01 && h('div', { class: 'own', title: 'without the steps below it' }, h('div', { class: 'track' }, share), h('span', { class: 'note' }, percent(part, 1))),
      ...node.details.map(({ name, text }) => h('p', { class: 'note' }, `${name}: ${text}`)),
      node.inputs.length > 0 && h('ul', {}, ...node.inputs.map(item)),
    );
  };
  return h('ul', { class: 'plan' }, item(root));
}

/** What is wrong, what stands behind the most time first. */
export function findings(found: PlanFinding[]): HTMLElement[] {
  return found.map((one) =>
    h(
      'div',
      { class: 'finding warn told' },
      h('p', {}, h('b', {}, one.node), one.share !== null && ` · ${percent(one.share, 1)} of the time`),
      h('p', {}, `${one.why}.`),
      h('p', { class: 'note' }, `→ ${one.advice}`),
      ...one.statements.map((statement) => h('p', {}, h('code', {}, `${statement};`), ' ', copied(() => `${statement};`, 'Statement: copy'))),
    ),
  );
}

/** A place for a plan that somebody brings: with what really happened in each step. */
export function reader(statement: () => string): HTMLElement {
  const text = h('textarea', { rows: 5, spellcheck: 'false', 'aria-label': 'Plan in JSON', placeholder: '[{"Plan": {"Node Type": …' });
  const button = h('button', { type: 'button' }, 'Read the plan');
  const said = h('div', { role: 'status' });
  const show = (value: ReadPlan): void => {
    const words = value.findings.length > 0 ? '' : 'Nothing is wrong with this plan, as far as it shows.';
    replace(said, h('p', { class: 'note' }, value.executed ? `It took ${ms(value.ms)}. ${words}` : `It was not executed: with ANALYZE it says what really happened. ${words}`), ...findings(value.findings), tree(value.plan));
  };
  button.addEventListener('click', () => {
    void postText<ReadPlan>('plan', text.value).then(show, (error: Error) => replace(said, h('p', { class: 'trouble', role: 'alert' }, error.message)));
  });
  const explain = (): string => `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${statement()}`;
  return h('details', { class: 'reader' }, h('summary', {}, 'Read a plan with what really happened'), h('p', { class: 'note' }, 'Run the statement with values of yours and paste what comes. ANALYZE runs it. Nothing of it is kept. ', h('code', {}, 'EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) …'), copied(explain, 'EXPLAIN: copy')), text, h('p', {}, button), said);
}
