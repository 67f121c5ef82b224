// Asks mermaid itself which of the diagrams in ../diagrams it draws, and writes its verdicts to mermaid.json.
//
// Needs node, and in any folder: npm install mermaid@11 jsdom. Run from that folder:
//   node /path/to/tests/sequence/expectations/regenerate.mjs
// The tests read only mermaid.json; they need neither node nor npm.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const require = createRequire(join(process.cwd(), 'package.json'));
const here = dirname(fileURLToPath(import.meta.url));
const { JSDOM } = require('jsdom');
const page = new JSDOM('<!doctype html><body></body>');
Object.assign(globalThis, { window: page.window, document: page.window.document, Option: page.window.Option });
for (const name of ['Element', 'HTMLElement', 'SVGElement', 'Node', 'DOMParser']) globalThis[name] = page.window[name];

// The package exports no `require` entry, so its module is found beside its package.json.
const folder = join(process.cwd(), 'node_modules', 'mermaid');
const version = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).version;
const { default: mermaid } = await import(pathToFileURL(join(folder, 'dist', 'mermaid.core.mjs')));
mermaid.initialize({ startOnLoad: false, logLevel: 5 });
const say = console.log;
for (const level of ['debug', 'info', 'log', 'warn', 'error']) console[level] = () => {};

const verdicts = {};
const diagrams = join(here, '..', 'diagrams');
let [drawn, all] = [0, 0];
for (const file of readdirSync(diagrams).filter((name) => name.endsWith('.txt')).sort()) {
  const cases = {};
  for (const part of ('\n' + readFileSync(join(diagrams, file), 'utf8')).split('\n=== ').slice(1)) {
    const end = part.indexOf('\n');
    // The last line feed belongs to the separator, but for the last case of a file.
    const text = part.slice(end + 1);
    const accepted = await mermaid.parse(text, { suppressErrors: true }).catch(() => false);
    cases[part.slice(0, end)] = accepted !== false;
    all += 1;
    drawn += accepted === false ? 0 : 1;
  }
  verdicts[file.replace('.txt', '')] = cases;
}
writeFileSync(join(here, 'mermaid.json'), JSON.stringify({ mermaid: version, verdicts }, null, 1) + '\n');
say(`mermaid ${version} draws ${drawn} of ${all} diagrams`);
