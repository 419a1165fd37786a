// What the server tells. Times are in milliseconds.

export interface Point {
  t: number;
  qps: number;
  eps: number;
  rows: number;
  p50: number | null;
  p95: number | null;
  p99: number | null;
  working: number;
  queued: number;
  active: number;
  idle: number;
  in_transaction: number;
  waiting: number;
  sv_active: number;
  sv_idle: number;
  sv_max: number;
  rx: number;
  tx: number;
}

export interface Finding {
  severity: 'crit' | 'warn' | 'info';
  title: string;
  evidence: string;
  action: string;
  link: string;
}

export interface Score {
  value: number | null;
  grade: string | null;
  parts: { name: string; weight: number; lost: number; why: string }[];
}

export interface Totals {
  calls: number;
  rows: number;
  errors: number;
  on_replica: number;
  shared: number;
  cached: number;
  total_ms: number;
  wait_ms: number;
  server_ms: number;
  overhead_ms: number;
  overhead_p50_ms: number | null;
  overhead_p99_ms: number | null;
  longest_ms: number;
  p50_ms: number | null;
  p95_ms: number | null;
  p99_ms: number | null;
  p999_ms: number | null;
}

export interface Overview {
  version: string;
  uptime_s: number;
  clients: number;
  max_clients: number;
  listening: string[];
  databases: string[];
  statements: Totals;
  findings: Finding[];
  score: Score;
  history: Point[];
}

export interface Live {
  point: Point;
  uptime_s: number;
  clients: number;
  max_clients: number;
  findings: Finding[];
  score: Score;
}

/** Calls by application, address and route. */
export type From = Record<'application' | 'address' | 'route', { name: string; calls: number; total_ms: number }[]>;

export interface Query extends Totals {
  fingerprint: string | null;
  database: string;
  user: string;
  kind: string;
  statement: string;
  errors_by: Record<string, number>;
  recent: { minutes: number; calls: number; total_ms: number; errors: number };
  minutes: [number, number, number][];
  first_seen_s: number;
  last_seen_s: number;
  /** Of the calls that were asked for. */
  part?: { calls: number; total_ms: number };
}

export interface Queries {
  forms: number;
  totals: Totals;
  from: From;
  queries: Query[];
}

export interface QueryDetail {
  fingerprint: string;
  statement: string;
  kind: string;
  totals: Totals;
  buckets: [number, number, number][];
  from: From;
  by: Query[];
  running: Session[];
}

export interface Cache {
  forced: string | null;
  answers: number;
  bytes: number;
  shared: {
    open: boolean;
    trouble: string | null;
    hits: number;
    misses: number;
    refused: number;
    errors: number;
    skipped: number;
    written: number;
    dropped: number;
    read_bytes: number;
    written_bytes: number;
    waited_ms: number;
  } | null;
  databases: {
    database: string;
    mode: string | null;
    bound_ms: number | null;
    hits: number;
    would_hit: number;
    misses: number;
    coalesced: number;
    shared: number;
    kept: number;
    patched: number;
    answered_bytes: number;
    saved_ms: number;
    reasons: Record<string, number>;
    news_ms: number | null;
    trouble: string | null;
  }[];
}

export interface PlanNode {
  what: string;
  cost: number;
  /** Expected of one execution. */
  rows: number;
  /** What came in one execution; null: it was not executed. */
  actual: number | null;
  loops: number | null;
  /** All executions, with the steps below. */
  ms: number | null;
  /** Blocks from memory and from outside, with the steps below. */
  hit: number | null;
  read: number | null;
  details: { name: string; text: string }[];
  inputs: PlanNode[];
}

export interface PlanFinding {
  node: string;
  /** Which input of which input, from the root. */
  path: number[];
  why: string;
  advice: string;
  statements: string[];
  share: number | null;
}

export interface ReadPlan {
  executed: boolean;
  ms: number | null;
  plan: PlanNode;
  findings: PlanFinding[];
}

export interface SlowCall {
  id: number;
  ago_ms: number;
  database: string;
  user: string;
  application: string;
  address: string;
  node: string;
  fingerprint: string;
  statement: string;
  time_ms: number;
  wait_ms: number;
  server_ms: number;
  rows: number;
  error: string | null;
  plan: PlanNode | null;
  plan_text: string | null;
  findings: PlanFinding[];
  remark: string | null;
}

export interface Direct {
  nodes: {
    node: string;
    missing: string | null;
    direct: { database: string; fingerprint: string; statement: string; kind: string; calls: number; direct: number; time_ms: number }[];
  }[];
}

export interface Slow {
  slow: SlowCall[];
}

export interface Pool {
  database: string;
  user: string;
  node: string;
  mode: string;
  clients: { active: number; waiting: number; idle: number };
  servers: { active: number; idle: number; tested: number; opening: number; max: number };
  oldest_wait_ms: number;
  paused: boolean;
  pinned: Record<string, number>;
  leaks: number;
  flights: number;
  shared: number;
  advice: string | null;
  last_error: string | null;
}

export interface Node {
  name: string;
  address: string;
  role: string;
  standing: string;
  breaker: string;
  failures: number;
  down_ms: number | null;
  answered_ms: number | null;
  lag_ms: number | null;
  lag_bytes: number | null;
  timeline: number | null;
  drained: boolean;
  last_error: string | null;
  servers_active: number;
  servers: number;
}

export interface Nodes {
  nodes: Node[];
  unlisted: { cluster: string; address: string }[];
  routes: { cluster: string; reason: string; explanation: string; requests: number }[];
}

export interface Session {
  id: number;
  database: string;
  user: string;
  application: string;
  address: string;
  state: string;
  transaction_ms: number | null;
  requested_ms: number;
  waiting_ms: number | null;
  connected_ms: number;
  requests: number;
  fingerprint: string | null;
  statement?: string | null;
  pin: string | null;
  server: number | null;
  tls: boolean;
}

export interface Setup {
  version: string;
  revision: number;
  workers: number;
  keys: { key: string; value: string; default: string | null }[];
}

export interface Outsiders {
  nodes: {
    node: string;
    missing: string | null;
    age_ms: number;
    all: number;
    sessions: {
      process: number;
      database: string;
      user: string;
      application: string;
      address: string;
      state: string;
      lasting_ms: number | null;
      transaction_ms: number | null;
      statement: string;
    }[];
  }[];
}

export interface Past {
  on: boolean;
  /** How to turn it on, or what is wrong with it. */
  why: string | null;
  step_s: number;
  times: number[];
  columns: { name: string; values: (number | null)[] }[];
  marks: { at_ms: number; kind: string; text: string }[];
  pools: string[];
  nodes: string[];
}

export interface PastStatement {
  fingerprint: string;
  database: string;
  user: string;
  statement: string;
  calls: number;
  errors: number;
  total_ms: number;
  p50_ms: number | null;
  p95_ms: number | null;
  p99_ms: number | null;
}

export interface PastStatements {
  total_ms: number;
  statements: PastStatement[];
}

export interface Alert {
  rule: string;
  severity: string;
  state: string;
  about: string;
  title: string;
  evidence: string;
  first_step: string;
  page: string;
  lasting_s: number;
  cause: string | null;
  silenced: boolean;
  flapping: boolean;
}

export interface AlertRule {
  name: string;
  enabled: boolean;
  severity: string;
  condition: string;
  for_s: number;
  now: string | null;
  first_step: string;
}

export interface Alerts {
  enabled: boolean;
  firing: Alert[];
  pending: Alert[];
  rules: AlertRule[];
  past: { rule: string; title: string; about: string; began_s: number; ended_s: number }[];
  silences: { id: number; rule: string | null; left_s: number; reason: string }[];
  sinks: { name: string; sent: number; failed: number }[];
}

export interface Recommendation {
  id: string;
  /** The database for programs. */
  place: string;
  database: string;
  kind: string;
  subject: string;
  title: string;
  why: string;
  impact: 'high' | 'medium' | 'low';
  confidence: number;
  saves: number | null;
  bytes: number;
  writes: number;
  state: string;
  changed_ms: number;
  evidence: { what: string; now: string; then: string; check: string }[];
  apply: string[];
  undo: string[];
  cautions: string[];
  statements: string[];
  verdict: string | null;
  measured: { statement: string; calls: number; before_ms: number; after_ms: number; state: string | null }[];
  runs: {
    direction: string;
    who: string;
    begun_ms: number;
    ended_ms: number | null;
    outcome: string;
    statements: { sql: string; sent_ms: number; ended_ms: number | null; outcome: string }[];
  }[];
  events: { at_ms: number; who: string; state: string; text: string }[];
}

export interface Recommendations {
  on: boolean;
  /** How to turn it on. */
  why: string | null;
  recommendations: Recommendation[];
}

/** How often an index was used. */
export interface IndexHistory {
  place: string;
  database: string;
  table: string;
  index: string;
  bytes: number;
  days: { at_ms: number; scans: number }[];
}

export interface Indexes {
  on: boolean;
  /** How to turn it on. */
  why: string | null;
  indexes: IndexHistory[];
}

export async function get<T>(path: string): Promise<T> {
  const answer = await fetch(`/api/v1/${path}`, { headers: { accept: 'application/json' } });
  const body: unknown = await answer.json();
  if (!answer.ok) {
    const error = (body as { error?: string }).error;
    throw new Error(error ?? `${path}: ${answer.status}`);
  }
  return body as T;
}

async function posted(path: string, text?: string): Promise<unknown> {
  const answer = await fetch(`/api/v1/${path}`, { method: 'POST', headers: { 'x-howdah': '1' }, body: text ?? null });
  const body = (await answer.json().catch(() => ({}))) as { error?: string };
  if (!answer.ok) throw new Error(body.error ?? `${path}: ${answer.status}`);
  return body;
}

/** Asks for something to be done; the header says that it is meant. */
export async function post(path: string): Promise<void> {
  await posted(path);
}

/** Brings a text and gets what is made of it. */
export async function postText<T>(path: string, text: string): Promise<T> {
  return (await posted(path, text)) as T;
}
