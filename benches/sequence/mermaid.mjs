// Reads diagrams, a JSON list of texts on standard input, with mermaid's own parser; writes how many it reads a second.
//
// Run in a folder with node_modules/mermaid and node_modules/jsdom. `jison` is the generated parser alone, with the
// database that it fills stubbed; `parse` is what mermaid offers to others: front matter, kind, sanitizing and all. Median of
// five runs, after one that warms up.
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const say = console.log;
for (const level of ['debug', 'info', 'log', 'warn', 'error']) console[level] = () => {};
const require = createRequire(join(process.cwd(), 'package.json'));
const { JSDOM } = require('jsdom');
const page = new JSDOM('<!doctype html><body></body>');
Object.assign(globalThis, { window: page.window, document: page.window.document, Option: page.window.Option });
for (const name of ['Element', 'HTMLElement', 'SVGElement', 'Node', 'DOMParser']) globalThis[name] = page.window[name];

const dist = join(process.cwd(), 'node_modules', 'mermaid', 'dist');
const load = (path) => import(pathToFileURL(path));
const { default: mermaid } = await load(join(dist, 'mermaid.core.mjs'));
mermaid.initialize({ startOnLoad: false, logLevel: 5 });

const chunks = join(dist, 'chunks', 'mermaid.core');
const chunk = async (kind) => {
  const file = readdirSync(chunks).find((name) => name.startsWith(`${kind}-`) && name.endsWith('.mjs'));
  return (await load(join(chunks, file))).diagram;
};
const kinds = {
  sequenceDiagram: await chunk('sequenceDiagram'),
  'stateDiagram-v2': await chunk('stateDiagram-v2'),
  flowchart: await chunk('flowDiagram'),
};
const texts = JSON.parse(readFileSync(0, 'utf8'));

// What the grammars' actions ask back; all else of the database is stubbed, since it is not parsing.
const asked = new Set(['parseMessage', 'parseBoxData', 'trimColon', 'getDividerId', 'destructLink']);
const stubbed = (db) =>
  new Proxy(db, {
    get(target, key) {
      const value = target[key];
      if (typeof value !== 'function') return value;
      return asked.has(key) ? value.bind(target) : () => undefined;
    },
  });
const stubs = new Map(Object.entries(kinds).map(([kind, { db }]) => [kind, { db, yy: stubbed(db) }]));
const jison = (text) => {
  const kind = text.split(/\s/, 1)[0];
  const parser = kinds[kind].parser.parser ?? kinds[kind].parser;
  const { db, yy } = stubs.get(kind);
  // The lexer of flowcharts asks whether this is the first line.
  db.firstGraphFlag = true;
  parser.yy = yy;
  parser.parse(text);
};
const rate = async (read, rounds) => {
  const rates = [];
  for (let run = 0; run < 6; run += 1) {
    const begun = process.hrtime.bigint();
    for (let round = 0; round < rounds; round += 1) for (const text of texts) await read(text);
    rates.push((1e9 * rounds * texts.length) / Number(process.hrtime.bigint() - begun));
  }
  return rates.slice(1).sort((a, b) => a - b)[2];
};
const tried = async (read, rounds) => {
  try {
    return await rate(read, rounds);
  } catch (error) {
    return String(error).slice(0, 200);
  }
};
say(JSON.stringify({ jison: await tried(jison, 20), parse: await tried((text) => mermaid.parse(text), 2) }));
