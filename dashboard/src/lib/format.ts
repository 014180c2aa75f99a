// Numbers and times, as people read them.

const whole = new Intl.NumberFormat('en');
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });
const exact = new Intl.DateTimeFormat('en-GB', {
  dateStyle: 'medium', timeStyle: 'medium',
});

export const NONE = '–';

export const count = (n: number | null | undefined) => (n === null || n === undefined ? NONE : whole.format(n));
export const countShort = (n: number | null | undefined) =>
  (n === null || n === undefined ? NONE : n < 10_000 ? whole.format(n) : short.format(n));

// Never "100 %" for what is not all.
export function percent(rate: number | null | undefined): string {
  if (rate === null || rate === undefined) return NONE;
  const value = rate * 100;
  if (rate < 1 && value > 99.99) return '> 99.99 %';
  if (rate > 0 && value < 0.01) return '< 0.01 %';
  const digits = Number.isInteger(value) ? 0 : value > 99 ? 2 : 1;
  return `${value.toFixed(digits)} %`;
}

export function duration(ms: number | null | undefined): string {
  if (ms === null || ms === undefined) return NONE;
  if (ms === 0) return '0 ms';
  if (ms < 1) return `${ms.toFixed(2)} ms`;
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
  return span(ms);
}

// "3 h 20 min": two units at most.
export function span(ms: number): string {
  const units: [string, number][] = [['d', 86_400_000], ['h', 3_600_000], ['min', 60_000], ['s', 1000]];
  const first = units.findIndex(([, size]) => ms >= size);
  if (first < 0) return '0 s';
  const [name, size] = units[first]!;
  const next = units[first + 1];
  const rest = next ? Math.floor((ms % size) / next[1]) : 0;
  return `${Math.floor(ms / size)} ${name}${next && rest ? ` ${rest} ${next[0]}` : ''}`;
}

export const seconds = (s: number) => span(s * 1000);

export function exactTime(iso: string): string {
  const time = new Date(iso);
  return Number.isNaN(time.getTime()) ? iso : exact.format(time);
}

// A sentence of the server's with the times in it as they are here.
export const withTimes = (text: string | undefined) =>
  text?.replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g, (iso) => exactTime(iso));

export function relative(iso: string, nowMs: number): string {
  const ms = new Date(iso).getTime() - nowMs;
  if (Number.isNaN(ms)) return iso;
  const size = Math.abs(ms);
  if (size < 5_000) return 'now';
  const text = size >= 86_400_000 * 2 ? `${Math.floor(size / 86_400_000)} d` : span(size - (size >= 60_000 ? size % 60_000 : 0));
  return ms < 0 ? `${text} ago` : `in ${text}`;
}

// Control characters as pictures: nobody's text moves the cursor of a page or hides in it.
export const printable = (text: string) =>
  // eslint-disable-next-line no-control-regex
  text.replace(/[\u0000-\u0008\u000b-\u001f]/g, (c) => String.fromCharCode(0x2400 + c.charCodeAt(0)))
    .replace(/[\u007f-\u009f]/g, '\u2421');

// In a block of code, where lines stand below each other, also what would turn their direction.
export const plain = (text: string) =>
  printable(text).replace(/[\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g,
    (c) => `⟨U+${c.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}⟩`);

// A form's time, in the browser's zone, and the API's.
export function toIso(local: string): string | null {
  const time = new Date(local);
  return local && !Number.isNaN(time.getTime()) ? time.toISOString() : null;
}

export function toLocal(iso: string | null | undefined): string {
  if (!iso) return '';
  const time = new Date(iso);
  const shifted = new Date(time.getTime() - time.getTimezoneOffset() * 60_000);
  return shifted.toISOString().slice(0, 16);
}
