// The routes, from the source: a new one is in every test that is about all of them by being a row.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { ROOT } from './harness.mjs';

function source(name) {
  return readFileSync(path.join(ROOT, 'src/api', name), 'utf8').replaceAll(/\\\n/g, '');
}

const ROW = /\{\s*"([A-Z]+)",\s*"([^"]+)",\s*(ROUTE_\w+),\s*(MAY_\w+)/g;

function rowsOf(text) {
  return [...text.matchAll(ROW)].map(([, method, pattern, access, may]) => ({ method, pattern, access, may }));
}

// Of a macro whose rows differ in their path alone.
function macroRows(text, macro) {
  const define = new RegExp(`#define ${macro}\\(path[^\\n]*`).exec(text)[0];
  const [, method, access, may] = /\{\s*"([A-Z]+)", path, (ROUTE_\w+), (MAY_\w+)/.exec(define);
  const rows = [...text.matchAll(new RegExp(`^ +${macro}\\("([^"]+)"`, 'gm'))];
  return rows.map(([, pattern]) => ({ method, pattern, access, may }));
}

const MACROS = ['CHANGE', 'QUIET', 'LOOK', 'CUSTOMER'];

function readTable() {
  const own = source('router.c').replaceAll(/(?<!define )CHANNEL (?=")/g, '"/v1/channels/{c}" ')
    .replaceAll(/\bCHANNEL,/g, '"/v1/channels/{c}",').replaceAll('" "', '');
  const [before, after] = own.split(/#define CHANNEL_LIST[^\n]*\n/);
  const lists = [...after.matchAll(/CHANNEL_LIST\("(\w+)"/g)].flatMap(([, name]) =>
    [['GET', ''], ['POST', ''], ['PATCH', '/{i}'], ['DELETE', '/{i}']].map(([method, id]) => ({
      method, pattern: `/v1/channels/{c}/${name}${id}`, access: 'ROUTE_KEYED',
      may: method === 'GET' ? 'MAY_READ' : 'MAY_MANAGE',
    })));
  const platform = source('platform.c');
  const more = MACROS.flatMap((macro) => macroRows(platform, macro));
  return [...rowsOf(before), ...rowsOf(after), ...lists, ...rowsOf(platform), ...more];
}

export const routes = readTable();

// How many there must be: as often as the word stands in rows, and not in a macro.
export function routesWritten() {
  const written = ['router.c', 'platform.c'].flatMap((name) =>
    source(name).replaceAll(/^ *#define.*$/gm, '').match(/ROUTE_(KEYED|NARROW|LOCAL|PUBLIC),/g)).length;
  const lists = source('router.c').match(/^ +CHANNEL_LIST\("/gm).length * 4;
  const macros = source('platform.c').match(new RegExp(`^ +(${MACROS.join('|')})\\("`, 'gm')).length;
  return written + lists + macros;
}
