// Bundles the dashboard into a folder: index.html and, under assets/, files that are named after
// what is in them.
//   node build.mjs FOLDER
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { build } from 'esbuild';

const here = import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname);
const from = (name) => path.join(here, name);
const folder = process.argv[2];
const assets = path.join(folder, 'assets');
mkdirSync(assets, { recursive: true });

const { metafile } = await build({
  absWorkingDir: here,
  entryPoints: { app: 'src/main.tsx' },
  outdir: assets,
  entryNames: '[name]-[hash]',
  bundle: true,
  minify: true,
  format: 'iife',
  target: ['es2020', 'chrome100', 'firefox102', 'safari15.4'],
  charset: 'utf8',
  legalComments: 'none', // all of the licences are in a file of their own
  jsx: 'automatic',
  jsxImportSource: 'preact',
  metafile: true,
  logLevel: 'warning',
});

function keep(name, ending, bytes) {
  const hash = createHash('sha256').update(bytes).digest('hex').slice(0, 10);
  const file = `${name}-${hash}.${ending}`;
  writeFileSync(path.join(assets, file), bytes);
  return file;
}

// What the bundle holds of others asks for its licence to go along.
const licences = ['preact', 'uplot'].map((name) => {
  const { version } = JSON.parse(readFileSync(from(`node_modules/${name}/package.json`), 'utf8'));
  return `${name} ${version}\n\n${readFileSync(from(`node_modules/${name}/LICENSE`), 'utf8').trim()}\n`;
});

const made = (ending) => path.basename(Object.keys(metafile.outputs).find((name) => name.endsWith(ending)));
const names = {
  SCRIPT: made('.js'),
  STYLE: made('.css'),
  ICON: keep('icon', 'svg', readFileSync(from('src/icon.svg'))),
  LICENCES: keep('licences', 'txt', licences.join(`\n${'-'.repeat(72)}\n\n`)),
};
const page = readFileSync(from('src/index.html'), 'utf8').replaceAll(/@(\w+)@/g, (_, name) => names[name]);
writeFileSync(path.join(folder, 'index.html'), page);
