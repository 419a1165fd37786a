// Numbers for people: three digits that matter, and always the unit.

const GROUPS = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });

export function count(value: number | null | undefined): string {
  if (value === null || value === undefined) return '–';
  if (value >= 1e9) return `${(value / 1e9).toPrecision(3)} G`;
  if (value >= 1e7) return `${(value / 1e6).toPrecision(3)} M`;
  return GROUPS.format(value).replaceAll(',', '\u202f');
}

export function rate(value: number | null | undefined): string {
  if (value === null || value === undefined) return '–';
  if (value > 0 && value < 10) return value.toFixed(1);
  return count(Math.round(value));
}

export function ms(value: number | null | undefined): string {
  if (value === null || value === undefined) return '–';
  if (value >= 60_000) return `${(value / 60_000).toPrecision(3)} min`;
  if (value >= 1_000) return `${(value / 1_000).toPrecision(3)} s`;
  if (value >= 100) return `${value.toFixed(0)} ms`;
  if (value >= 0.995) return `${value.toPrecision(3)} ms`;
  return `${(value * 1_000).toFixed(0)} µs`;
}

export function ago(value: number | null | undefined): string {
  if (value === null || value === undefined) return '–';
  const seconds = value / 1_000;
  if (seconds < 90) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  if (seconds < 5_400) return `${(seconds / 60).toFixed(0)} min`;
  if (seconds < 172_800) return `${(seconds / 3_600).toFixed(1)} h`;
  return `${(seconds / 86_400).toFixed(1)} d`;
}

export function percent(part: number, whole: number): string {
  if (whole <= 0) return '–';
  const share = (100 * part) / whole;
  return `${share < 10 ? share.toFixed(1) : share.toFixed(0)} %`;
}

export function bytes(value: number | null | undefined): string {
  if (value === null || value === undefined) return '–';
  const units = ['B', 'KB', 'MB', 'GB', 'TB'];
  let at = 0;
  while (value >= 1_000 && at < units.length - 1) {
    value /= 1_000;
    at += 1;
  }
  return `${value >= 100 || at === 0 ? value.toFixed(0) : value.toPrecision(3)} ${units[at]}`;
}

/** A moment as a label: as much of it as tells it from others that are so many seconds away, within so many seconds. */
export function moment(seconds: number, step: number, span: number): string {
  if (span <= 100_000) return step < 60 ? clock(seconds) : clock(seconds).slice(0, 5);
  const day = new Date(seconds * 1_000).toLocaleDateString('en-GB', { day: 'numeric', month: 'short' });
  return step >= 86_400 ? day : `${day} ${clock(seconds).slice(0, 5)}`;
}

/** A moment for people: day and time, in milliseconds since 1970. */
export function when(value: number): string {
  return new Date(value).toLocaleString('en-GB', { day: 'numeric', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit' });
}

export function clock(seconds: number): string {
  return new Date(seconds * 1_000).toLocaleTimeString('en-GB');
}
