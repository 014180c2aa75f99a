// The API's document, and whether an answer is what it says. The harness has every answer that any
// test gets checked: its status, type, headers, and that it has no member which is not documented.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';

// The torture runs use the harness too, and install nothing.
const [Ajv, addFormats] = await Promise.all([import('ajv/dist/2020.js'), import('ajv-formats')])
  .then((all) => all.map((each) => each.default))
  .catch(() => []);

// What stands beside the binary was made with it.
export function openDocument(binary) {
  const file = path.join(path.dirname(binary), 'src/api/openapi/openapi.json');
  return Ajv && existsSync(file) ? new Contract(JSON.parse(readFileSync(file, 'utf8'))) : null;
}

// ---- schemas ----

// Clients must expect new members; a test must not.
function closed(node) {
  if (Array.isArray(node)) return node.map(closed);
  if (typeof node !== 'object' || node === null) return node;
  const copy = Object.fromEntries(Object.entries(node).map(([name, value]) => [name, closed(value)]));
  if (copy.properties && copy.type === 'object') copy.additionalProperties ??= false;
  return copy;
}

// With references that any schema may have.
function absolute(schemas) {
  return JSON.parse(JSON.stringify(schemas).replaceAll('"#/components/schemas/', '"openapi#/$defs/'));
}

function pattern(template) {
  const parts = template.split('/').map((part) =>
    (part.startsWith('{') ? '[^/]+' : part.replace(/[.]/g, '\\.')));
  return new RegExp(`^${parts.join('/')}$`);
}

// What the server answers before it has found out which operation was meant.
const HTTP_ALONE = [400, 414, 431, 501, 503, 505];

export class Contract {
  constructor(document) {
    this.document = document;
    this.ajv = new Ajv({ strict: true, strictRequired: false, allowUnionTypes: true, allErrors: true });
    addFormats(this.ajv);
    this.ajv.addSchema({ $id: 'openapi', $defs: absolute(closed(document.components.schemas)) });
    this.compiled = new Map();
    // Those without a parameter first, as the server has it.
    this.paths = Object.entries(document.paths)
      .sort(([a], [b]) => a.split('{').length - b.split('{').length)
      .map(([template, operations]) => ({ template, operations, pattern: pattern(template) }));
  }

  validator(schema) {
    const key = JSON.stringify(schema);
    if (!this.compiled.has(key)) {
      this.compiled.set(key, this.ajv.compile(absolute(closed(schema))));
    }
    return this.compiled.get(key);
  }

  // Fails with what is wrong about the value, and shows it.
  check(schema, value, what) {
    const validate = this.validator(schema);
    if (validate(value)) return;
    assert.fail(`${what}: ${this.ajv.errorsText(validate.errors)}\n${JSON.stringify(value)}`);
  }

  checkNamed(name, value) {
    this.check({ $ref: `#/components/schemas/${name}` }, value, name);
  }

  resolve(node) {
    if (!node?.$ref) return node;
    return node.$ref.slice(2).split('/').reduce((at, name) => at[name], this.document);
  }

  // ---- answers ----

  // What may answer the request: null for a path or a method that there is none of.
  operation(method, pathname) {
    const asked = (method === 'HEAD' ? 'GET' : method).toLowerCase();
    const clean = /^\/(v1|docs|assets|\/*$)/.test(pathname) ? pathname : pathname.replace(/\/+/g, '/');
    const paths = this.paths.filter((each) => each.pattern.test(clean));
    const found = paths.find(({ operations }) => operations[asked]) ?? paths[0];
    return found && { template: found.template, ...found.operations[asked], known: asked in found.operations };
  }

  checkAnswer(method, target, answer) {
    const { pathname } = new URL(target, 'http://any');
    const what = `${method} ${pathname}: ${answer.status}`;
    const operation = this.operation(method, pathname);
    if (method === 'OPTIONS' && answer.status === 204) return;
    if (!operation?.known) {
      const expected = operation ? [405] : [404];
      if (method === 'OPTIONS') expected.push(404, 405, 429);
      // A path of another listener is none of this one's.
      assert.ok([...expected, ...HTTP_ALONE].includes(answer.status), `${what} is not what an unknown path or method gets`);
      this.checkError(answer, what);
      return;
    }
    const response = this.resolve(operation.responses[answer.status]);
    if (!response) {
      assert.ok(HTTP_ALONE.includes(answer.status), `${what} is not documented`);
      this.checkError(answer, what);
      return;
    }
    this.checkHeaders(response, answer, what);
    if (method !== 'HEAD') this.checkBody(response, answer, what);
  }

  checkHeaders(response, answer, what) {
    for (const [name, ref] of Object.entries(response.headers ?? {})) {
      const header = this.resolve(ref);
      const value = answer.headers[name.toLowerCase()];
      assert.ok(value !== undefined || !header.required, `${what} has no ${name}`);
      if (value !== undefined) this.check(header.schema, value, `${what}, ${name}`);
    }
  }

  checkBody(response, answer, what) {
    if (!response.content) {
      assert.equal(answer.bytes.length, 0, `${what} has a body`);
      return;
    }
    const type = (answer.headers['content-type'] ?? '').split(';')[0];
    const media = response.content[type];
    assert.ok(media, `${what} is of the type ${type || '(none)'}`);
    if (!/[/+]json$/.test(type)) return;
    const packed = answer.headers['content-encoding'] === 'gzip';
    let value;
    try {
      value = JSON.parse(packed ? gunzipSync(answer.bytes) : answer.text);
    } catch (error) {
      assert.fail(`${what}: ${error.message}`);
    }
    this.check(media.schema, value, what);
  }

  checkError(answer, what) {
    if (answer.bytes.length === 0) return; // of HEAD
    const type = answer.headers['content-type'];
    const names = { 'application/problem+json': 'Problem', 'application/json': 'Error' };
    assert.ok(names[type], `${what} is of the type ${type}`);
    this.check({ $ref: `#/components/schemas/${names[type]}` }, JSON.parse(answer.text), what);
  }
}
