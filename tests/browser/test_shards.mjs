// A run of which a shard is missing: the page says so, and nothing that it shows adds up to more than is there. Prints TAP.
import {execFileSync} from 'node:child_process';
import {mkdirSync, rmSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import assert from 'node:assert/strict';
import {axeSource, folder, keylight, newPage, problems, ready, run as runAll, test, train, world} from '../lib/browser.mjs';

const number = (text) => Number(text.replaceAll('−', '-').replaceAll('+', ''));

/** Splits a run by three and takes the middle away; the first shard. */
function cut(file) {
  const parts = execFileSync(keylight, ['split', file, '--shards', '3'], {encoding: 'utf8'}).trim().split('\n');
  rmSync(parts[1]);
  rmSync(file);
  return parts[0];
}

const addresses = () => {
  const [images, text] = world.runs;
  return [`/r/${images}/q/test/strokes/4`, `/r/${text}/q/test/book/30`, `/r/${images}/how/test/strokes/4`, `/r/${text}/how/test/book/30`, `/r/${images}/suspects`];
};

test('every view of the run says what is missing and how much is there', async () => {
  for (const address of addresses()) {
    await world.page.goto(world.origin + address);
    await ready();
    assert.match(await world.page.textContent('#damaged'), /of its shards 0 to 2, 1 is missing\. All that you see is from 6\d\.\d\s%/, address);
    assert.ok(await world.page.isVisible('#damaged'), address);
  }
});

test('guess, correction and what is not here add up to each logit, of images and of text', async () => {
  for (const address of addresses().slice(0, 2)) {
    await world.page.goto(world.origin + address);
    await ready();
    const heads = await world.page.locator('table.logits thead th').allTextContents();
    assert.ok(heads.some((head) => /not here/.test(head)), heads.join());
    let most = 0;
    for (const row of await world.page.locator('table.logits tbody tr').all()) {
      const isText = address.includes('book'), cells = (await row.locator('td.number').allTextContents()).map(number);
      const [logit, guess, correction, absent] = isText ? cells.slice(1) : [cells[3], cells[0], cells[1], cells[2]];
      assert.ok(Math.abs(guess + correction + absent - logit) < 0.03, cells.join());
      most = Math.max(most, Math.abs(absent));
    }
    assert.ok(most > 0.02, `something is missing: ${most}`);
    assert.match(await world.page.textContent('#exactness'), /from 6\d\.\d\s% of the history/, address);
  }
});

test('the sum that is built says what it lacks', async () => {
  for (const address of addresses().slice(2, 4)) {
    await world.page.goto(world.origin + address);
    await ready();
    await world.page.click('button:text-is("the whole sum")');
    assert.match(await world.page.textContent('table.sum'), /what the missing shards added/);
    assert.doesNotMatch(await world.page.textContent('main'), /computes the same within|Nothing is left out/);
  }
});

test('axe finds nothing, and nothing is wider than the screen', async () => {
  for (const [width, colorScheme] of [[1440, 'light'], [1024, 'light'], [390, 'dark']]) {
    const context = await world.browser.newContext({viewport: {width, height: 844}, colorScheme, bypassCSP: true}), at = await newPage(context);
    for (const address of addresses()) {
      await at.goto(world.origin + address);
      await ready(at);
      await at.evaluate(axeSource);
      const {violations} = await at.evaluate(() => globalThis.axe.run());
      assert.deepEqual(violations.map(({id, nodes}) => `${id}: ${nodes[0].html}`), [], address);
      assert.ok(await at.evaluate(() => document.documentElement.scrollWidth <= innerWidth), address);
      assert.ok(await at.evaluate(() => [...document.querySelectorAll('table.logits')].every((table) => table.getBoundingClientRect().right <= innerWidth)), address);
    }
    await context.close();
  }
});

test('nothing else was wrong', () => {
  assert.equal(problems.filter((problem) => /1 is missing: all that follows is from/.test(problem)).length > 0, true);
  assert.deepEqual(problems.filter((problem) => !/^server: (keylight: of the shards 0 to 2 of \S+, 1 is missing: [^\n]*\n)+$/.test(problem)), []);
});

await runAll(() => {
  const book = path.join(folder, 'book');
  mkdirSync(book);
  for (const part of [1, 2, 3]) writeFileSync(path.join(book, `part_${part}.txt`), 'The old dog sat on the mat. A captain looked at the sea. '.repeat(40));
  return [cut(train('strokes', '--data', 'strokes', '--hidden', '40,24', '--steps', '60', '--batch', '32', '--lr', '0.05')),
    cut(train('text', '--data', `book=${book}`, '--tokens', 'characters', '--error-entries', '0', '--hidden', '12', '--embedding', '8', '--batch', '4', '--unroll', '10',
      '--steps', '60', '--lr', '1'))];
}, () => {});
