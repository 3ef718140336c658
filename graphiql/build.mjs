// Copies the files named in assets.txt from node_modules to dist/, where build.rs looks for them.
//
//   node build.mjs         refuses when a file is not the one that assets.txt promises
//   node build.mjs --pin   writes the installed versions and their hashes to assets.txt first
//
// assets.txt is checked in because a binary built without Node needs the same hashes for its CDN page.
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const list = join(here, 'assets.txt');
const modules = join(here, 'node_modules');
const dist = join(here, 'dist');
const pin = process.argv.includes('--pin');

function installedVersion(name) {
  return JSON.parse(readFileSync(join(modules, name, 'package.json'), 'utf8')).version;
}

function integrityOf(file) {
  return 'sha384-' + createHash('sha384').update(readFileSync(file)).digest('base64');
}

// MIT and BSD ask for their text in every copy, and the binary is one. The UMD bundle holds most of the installed
// tree, so all of it is listed rather than guessing which part was shaken out.
function licenses() {
  const lock = JSON.parse(readFileSync(join(here, 'package-lock.json'), 'utf8'));
  const parts = ['GraphiQL, as served by Souk, is built from these packages.\n'];
  for (const path of Object.keys(lock.packages).filter(Boolean).sort()) {
    const folder = join(here, path);
    if (!existsSync(folder)) continue;
    const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
    const text = file ? readFileSync(join(folder, file), 'utf8').trim() : '(the package has no licence file)';
    parts.push(`${'-'.repeat(80)}\n${name} ${version}: ${license ?? 'see below'}\n\n${text}\n`);
  }
  return parts.join('\n');
}

// Without this stamp build.rs takes dist/ for absent, so a build that stops half-way is never embedded.
rmSync(join(dist, 'assets.txt'), { force: true });
mkdirSync(dist, { recursive: true });

const wrong = [];
const lines = readFileSync(list, 'utf8').split('\n').map((line) => {
  if (line.trim() === '' || line.startsWith('#')) return line;
  const [name, pkg, version, path, integrity] = line.trim().split(/\s+/);
  const file = join(modules, pkg, path);
  const actual = { version: installedVersion(pkg), integrity: integrityOf(file) };
  if (!pin && (actual.version !== version || actual.integrity !== integrity)) {
    wrong.push(`${name}: assets.txt promises ${pkg} ${version} ${integrity}, installed is ${actual.version} ${actual.integrity}`);
  }
  copyFileSync(file, join(dist, name));
  return [name.padEnd(13), pkg.padEnd(10), actual.version.padEnd(8), path.padEnd(33), actual.integrity].join(' ');
});

if (wrong.length > 0) {
  console.error(wrong.join('\n'));
  console.error('If the change is wanted, run `npm run pin` and commit assets.txt together with package-lock.json.');
  process.exit(1);
}
if (pin) writeFileSync(list, lines.join('\n'));
writeFileSync(join(dist, 'licenses.txt'), licenses());
copyFileSync(list, join(dist, 'assets.txt'));
console.log('graphiql/dist is ready; the next cargo build embeds it.');
