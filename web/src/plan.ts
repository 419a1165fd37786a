// A plan as a tree: what each step does, what PostgreSQL expects of it, its conditions.

import type { PlanNode } from './api';
import { h } from './dom';
import { count } from './format';

/** Cost of a step without that of its inputs: where the work is. */
function own(node: PlanNode): number {
  return Math.max(node.cost - node.inputs.reduce((sum, input) => sum + input.cost, 0), 0);
}

/** Steps and conditions; the step that costs most is marked. */
export function tree(root: PlanNode): HTMLElement {
  const all: PlanNode[] = [];
  const collect = (node: PlanNode): void => {
    all.push(node);
    node.inputs.forEach(collect);
  };
  collect(root);
  const dearest = all.reduce((a, b) => (own(b) > own(a) ? b : a));
  const item = (node: PlanNode): HTMLElement =>
    h(
      'li',
      {},
      h('p', { class: node === dearest && all.length > 1 ? 'step dearest' : 'step' }, h('b', {}, node.what), ` ${count(Math.round(node.rows))} rows · cost ${count(Math.round(node.cost))}`),
      ...node.details.map(({ name, text }) => h('p', { class: 'note' }, `${name}: ${text}`)),
      node.inputs.length > 0 && h('ul', {}, ...node.inputs.map(item)),
    );
  return h('ul', { class: 'plan' }, item(root));
}
