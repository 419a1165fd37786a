// One stream of events, a quarter of an hour of points, and everybody who wants to know.

import { get, type Finding, type Live, type Overview, type Point, type Score } from './api';

const KEPT = 900;

export interface Now {
  overview: Overview | null;
  points: Point[];
  findings: Finding[];
  score: Score | null;
  state: 'live' | 'lost' | 'paused' | 'starting';
}

export const now: Now = { overview: null, points: [], findings: [], score: null, state: 'starting' };

const listeners = new Set<() => void>();
let source: EventSource | null = null;

/** Calls back every second, and when the state of the stream changes. Returns how to stop that. */
export function listen(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function tell(): void {
  for (const listener of [...listeners]) listener();
}

async function begin(): Promise<void> {
  try {
    const overview = await get<Overview>('overview');
    now.overview = overview;
    now.points = overview.history;
    now.findings = overview.findings;
    now.score = overview.score;
  } catch {
    now.state = 'lost';
    tell();
    window.setTimeout(() => void begin(), 2_000);
    return;
  }
  source?.close();
  source = new EventSource('/api/v1/live');
  source.addEventListener('open', () => {
    now.state = 'live';
    tell();
  });
  source.addEventListener('message', (event: MessageEvent<string>) => {
    const live = JSON.parse(event.data) as Live;
    now.state = 'live';
    now.points.push(live.point);
    if (now.points.length > KEPT) now.points.splice(0, now.points.length - KEPT);
    now.findings = live.findings;
    now.score = live.score;
    if (now.overview) {
      now.overview.clients = live.clients;
      now.overview.uptime_s = live.uptime_s;
    }
    tell();
  });
  source.addEventListener('error', () => {
    source?.close();
    source = null;
    now.state = 'lost';
    tell();
    window.setTimeout(() => {
      if (!document.hidden) void begin();
    }, 2_000);
  });
  tell();
}

export function start(): void {
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) {
      source?.close();
      source = null;
      now.state = 'paused';
    } else {
      void begin();
    }
  });
  void begin();
}
