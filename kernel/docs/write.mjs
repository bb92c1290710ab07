#!/usr/bin/env node
// Writes what is generated in docs/: the reference of the operators, and the picture of README.md from the recorded
// runs. `--run FILE` takes the picture from that run instead, provisional if its code had uncommitted changes.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from '../build.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const compiled = (path) => import(new URL(`../../dist/${path}`, import.meta.url).href);

function write(path, text) {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  process.stderr.write(`wrote ${path}\n`);
}

const at = process.argv.indexOf('--run');
await build();
const { operatorsPage } = await compiled('kernel/docs/reference.js');
const { PICTURE_FILE, pictureOf, withPicture } = await compiled('kernel/docs/picture.js');
const { readRun, readRuns } = await compiled('lib/index.js');

write('docs/reference/operators.md', operatorsPage());
const runs =
  at < 0
    ? await readRuns(join(root, 'notebooks', 'results', 'mamba'))
    : [readRun(readFileSync(process.argv[at + 1], 'utf8'))];
const picture = pictureOf(runs, at >= 0);
if (picture) {
  write(PICTURE_FILE, picture.svg);
  write('README.md', withPicture(readFileSync(join(root, 'README.md'), 'utf8'), picture));
} else process.stderr.write('no run counts for the picture; README.md stays as it is\n');
