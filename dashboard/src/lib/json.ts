// JSON as text: an event's body is shown as it was sent, to the byte, and no number of it is
// rounded on the way.

// Behind the value that begins at `from`.
function endOfValue(text: string, from: number): number {
  let depth = 0;
  let i = from;
  for (; i < text.length; i++) {
    const c = text[i]!;
    if (c === '"') {
      i = endOfString(text, i) - 1;
      if (depth === 0) return i + 1;
    } else if (c === '{' || c === '[') {
      depth++;
    } else if (c === '}' || c === ']') {
      if (depth === 0) return i;
      if (--depth === 0) return i + 1;
    } else if (depth === 0 && /[,\s]/.test(c)) {
      return i;
    }
  }
  return i;
}

function endOfString(text: string, from: number): number {
  let i = from + 1;
  while (i < text.length && text[i] !== '"') i += text[i] === '\\' ? 2 : 1;
  return i + 1;
}

const SPACE = /[\s,:]*/y;

function skip(text: string, from: number): number {
  SPACE.lastIndex = from;
  SPACE.test(text);
  return SPACE.lastIndex;
}

// A member's value of an object, as it stands there; null when there is none.
export function rawMember(text: string, name: string): string | null {
  let i = skip(text, 0) + 1;
  while ((i = skip(text, i)) < text.length && text[i] === '"') {
    const end = endOfString(text, i);
    const key: unknown = JSON.parse(text.slice(i, end));
    const value = skip(text, end);
    i = endOfValue(text, value);
    if (key === name) return text.slice(value, i);
  }
  return null;
}

const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g;

// On lines of their own, each value as it was written.
export function indented(text: string): string {
  let out = '';
  let depth = 0;
  let opened = false;
  const line = () => `\n${'  '.repeat(depth)}`;
  for (const [token] of text.matchAll(TOKEN)) {
    const closes = token === '}' || token === ']';
    if (closes) depth--;
    if ((opened && !closes) || (closes && !opened)) out += line();
    opened = token === '{' || token === '[';
    if (opened) depth++;
    out += token === ':' ? ': ' : token;
    if (token === ',') out += line();
  }
  return out;
}
