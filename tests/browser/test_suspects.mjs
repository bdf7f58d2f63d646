// The journey of somebody with mislabelled images: found, marked by keys, exported, trained again. Prints TAP.
import {execFileSync} from 'node:child_process';
import {existsSync, readFileSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import assert from 'node:assert/strict';
import {api, axeSource, folder, keylight, newPage, problems, ready, root, run as runAll, test, world} from '../lib/browser.mjs';

const MISLABELLED = 7, IMAGES = 210;
const file = path.join(folder, 'pets.keylight');
const train = (output, ...options) => execFileSync(keylight, ['train', '--data', `pets=${folder}/pets`, '--hidden', '32', '--steps', '600',
  '--batch', '20', '--lr', '0.02', '--output', output, ...options], {encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe']});
let page, run, moved;

test('the mislabelled images lead the list, with their files and what they should be', async () => {
  await page.goto(`${world.origin}/r/${run}/suspects`);
  await ready();
  const {suspects, total} = await api('/suspects?limit=60');
  assert.equal(total, IMAGES);
  const first = suspects.slice(0, MISLABELLED + 3).map(({sample}) => sample.path);
  for (const one of moved) assert.ok(first.includes(one), `${one} is not among ${first}`);
  for (const {sample, suggested} of suspects)
    if (moved.includes(sample.path)) assert.notEqual(suggested, null, sample.path);
  assert.deepEqual(await page.$$eval('.suspects .path', (paths) => paths.map((one) => one.textContent)), suspects.map(({sample}) => sample.path));
});

test('one key marks each, and goes on to the next', async () => {
  await page.focus('#suspect-1');
  for (let i = 1; i <= MISLABELLED + 4; i++) {
    const name = await page.$eval(`li:has(> #suspect-${i}) .path`, (one) => one.textContent);
    const key = moved.includes(name) ? 'w' : i % 2 ? 'f' : 'u';
    assert.equal(await page.evaluate(() => document.activeElement.id), `suspect-${i}`);
    await page.keyboard.press(key);
    await page.waitForFunction(([n, mark]) => document.querySelector(`li:has(> #suspect-${n})`).dataset.mark === mark,
      [i, {w: 'wrong', f: 'fine', u: 'unsure'}[key]]);
  }
  assert.equal(await page.textContent('.marks-summary [data-decision="wrong"] b'), String(MISLABELLED));
  assert.ok(existsSync(`${file}.marks`));
});

test('marks are still there after a reload; a right class can be chosen, and a mark taken back', async () => {
  await page.reload();
  await ready();
  assert.equal(await page.$$eval('[data-mark="wrong"]', (items) => items.length), MISLABELLED);
  const item = page.locator('[data-mark="wrong"]').first(), id = Number(await item.locator('.suspect').getAttribute('data-sample'));
  const other = await item.locator('select option').last().getAttribute('value');
  const before = await item.locator('select').inputValue();
  const label = async () => (await api('/marks')).marks.find(({sample}) => sample.id === id)?.label;
  const waitFor = async (value) => {
    for (let i = 0; i < 100 && await label() !== value; i++) await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(await label(), value);
  };
  await item.locator('select').selectOption(other);
  await waitFor(Number(other));
  await item.locator('select').selectOption(before);
  await waitFor(Number(before));
  const fine = page.locator('[data-mark="fine"]').first(), fines = await page.locator('[data-mark="fine"]').count();
  await fine.locator('button[data-decision="fine"]').click();
  await page.waitForFunction((n) => document.querySelectorAll('[data-mark="fine"]').length === n, fines - 1);
});

test('a key that is held down marks one image, and no right class is invented', async () => {
  await page.focus('#suspect-30');
  const before = (await api('/marks')).marks.length;
  for (let i = 0; i < 4; i++) await page.keyboard.down('w');
  await page.keyboard.up('w');
  await page.waitForSelector('li:has(> #suspect-30)[data-mark="wrong"]');
  const {marks} = await api('/marks'), {suspects} = await api('/suspects?limit=60');
  assert.equal(marks.length, before + 1);
  const {sample, suggested} = suspects[29], {label} = marks.find((mark) => mark.sample.id === sample.id);
  assert.equal(label, suggested ? suggested.label : sample.predicted === sample.label ? null : sample.predicted);
  await page.locator('li:has(> #suspect-30) button[data-decision="wrong"]').click();
  await page.waitForSelector('li:has(> #suspect-30)[data-mark=""]');
});

test('the table of marks trains a run in which they are right', async () => {
  const [download] = await Promise.all([page.waitForEvent('download'), page.click('#marks-csv')]);
  const table = path.join(folder, 'fixed.csv');
  writeFileSync(table, readFileSync(await download.path()));
  const output = path.join(folder, 'again.keylight');
  train(output, '--corrections', table);
  const again = JSON.parse(execFileSync(keylight, ['suspects', output, '--json', '--top', String(IMAGES)], {encoding: 'utf8'}));
  for (const {sample, score} of again.suspects)
    if (moved.includes(sample.path)) {
      const name = path.basename(sample.path).split('-')[0];
      assert.equal(['cat', 'dog', 'fox'][sample.label], name, sample.path);
      assert.ok(score < again.suspects[0].score || sample.label === sample.predicted, sample.path);
    }
});

test('axe finds nothing wrong, and the list fits a phone', async () => {
  for (const colorScheme of ['dark', 'light']) {
    const at = await newPage(undefined, {viewport: {width: 390, height: 844}, colorScheme, bypassCSP: true});
    await at.goto(`${world.origin}/r/${run}/suspects`);
    await ready(at);
    assert.ok(await at.evaluate(() => document.documentElement.scrollWidth) <= 390);
    await at.addScriptTag({content: axeSource});
    const {violations} = await at.evaluate(() => window.axe.run());
    assert.deepEqual(violations.map((violation) => [violation.id, violation.nodes[0].html.slice(0, 200)]), []);
    await at.context().close();
  }
});

test('nothing was wrong on the console', async () => {
  assert.deepEqual(problems, []);
});

test('marks that cannot be read leave the suspects on the page', async () => {
  writeFileSync(`${file}.marks`, 'junk '.repeat(200));
  await page.reload();
  await ready();
  assert.equal(await page.$$eval('.suspects .path', (paths) => paths.length), 60);
  assert.match(await page.textContent('#notices'), /cannot be read as marks.*move it away/);
});

await runAll(() => {
  execFileSync('/usr/bin/python3', ['-c', `
import os, sys
sys.path.insert(0, sys.argv[1])
import numpy as np, made_data
random = np.random.default_rng(4)
names = ["cat", "dog", "fox"]
for label, name in enumerate(names):
    os.makedirs(f"{sys.argv[2]}/pets/{name}")
    for i in range(70):
        image = random.integers(0, 90, (12, 12)).astype(np.uint8)
        image[3 * label + 1:3 * label + 4, 2:10] += 120 + random.integers(0, 40, dtype=np.uint8)
        made_data.png(f"{sys.argv[2]}/pets/{name}/{name}-{i:02}.png", image)
for i in range(7):
    name, other = names[i % 3], names[(i + 1) % 3]
    os.rename(f"{sys.argv[2]}/pets/{name}/{name}-{5 * i + 3:02}.png", f"{sys.argv[2]}/pets/{other}/{name}-{5 * i + 3:02}.png")
`, path.join(root, 'tests/lib'), folder]);
  moved = Array.from({length: MISLABELLED}, (_, i) => [['cat', 'dog', 'fox'][i % 3], ['cat', 'dog', 'fox'][(i + 1) % 3], 5 * i + 3])
    .map(([name, other, n]) => `${other}/${name}-${String(n).padStart(2, '0')}.png`);
  train(file);
  return [file];
}, (world) => {
  page = world.page;
  [run] = world.runs;
});
