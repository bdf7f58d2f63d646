// The pages beside that of a query: all runs and what two differ in, how it works, and the tour. Prints TAP.
import {mkdirSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import assert from 'node:assert/strict';
import {api, axeSource, choose, folder, nameOf, newPage, problems, ready, run as runAll, test, train, world} from '../lib/browser.mjs';

let page, origin, first, second, text, bare;
const sample = () => nameOf(world.details[0].datasets[0].splits.test.first_sample + 7);

async function open(address, at = page) {
  await at.goto(`${origin}${address}`);
  await ready(at);
}
const near = (a, b, most = 2e-3) => assert.ok(Math.abs(a - b) <= most, `${a} is not ${b}`);

test('all runs stand on one page, with their curves, and open from there', async () => {
  await open('/');
  await choose(() => page.click('#show-runs'));
  assert.equal(new URL(page.url()).pathname, '/runs');
  assert.deepEqual(await page.$$eval('table.runs tbody tr', (rows) => rows.map(({dataset}) => dataset.run)), world.runs);
  assert.equal((await page.$$('#runs .plot canvas')).length, 4); // of samples, and of texts, which share no axis
  const {curve} = await api('', first);
  await page.click('#runs .chart details summary');
  await page.waitForSelector('#runs .chart details table tbody tr'); // made when it is opened
  const numbers = await page.$$eval('#runs .chart details table tbody tr', (rows) => rows.map((row) => [...row.children].map((cell) => cell.textContent)));
  assert.ok(numbers.length >= curve.length && curve.every(({step}) => numbers.some(([at]) => Number(at.replaceAll(',', '')) === step)), JSON.stringify(numbers.slice(0, 3)));
  await choose(() => page.click(`#open-run-${second}`));
  assert.ok(new URL(page.url()).pathname.startsWith(`/r/${second}/q/`));
});

test('what two runs differ in is told, and is in the link', async () => {
  await open(`/runs?between=${first},${second}`);
  const differ = async () => Object.fromEntries(await page.$$eval('#runs .difference-of:not(details *) tbody tr', (rows) => rows.map((row) => [...row.children].map((cell) => cell.textContent)).map(([name, ...values]) => [name, values])));
  const told = await differ(), [a, b] = [await api('', first), await api('', second)];
  assert.deepEqual(told.steps, [String(a.steps), String(b.steps)]);
  assert.deepEqual(told.hidden, [a.training.hidden.join(', '), b.training.hidden.join(', ')]);
  assert.ok(!('seed' in told) && !('name' in told), Object.keys(told).join());
  await choose(() => page.selectOption('#select-Second-run', text));
  assert.match(page.url(), new RegExp(`between=${first},${text}`));
  assert.ok('architecture' in await differ());
  await open(`/runs?between=${first},nothing`);
  assert.match(await page.textContent('#notices'), /between is ID,ID/);
});

/** The sum that the page builds, one row a pattern. */
const sums = () => page.$$eval('table.sum tbody .sum', (cells) => cells.map(({dataset}) => Number(dataset.value)));

test('how it works builds the logit of the live run, pattern by pattern', async () => {
  await open(`/r/${first}/how/${sample()}`);
  const id = sample(), answer = await api(`/answer?sample=${id}`, first), {spotlight} = await api(`/spotlight?sample=${id}&rank=logit&k=12`, first);
  const said = answer.predicted;
  let sum = answer.initial_guess[said];
  near((await sums())[0], sum);
  for (let built = 1; built <= 3; built++) {
    await choose(() => page.click('#how-next'));
    sum += spotlight[built - 1].contribution;
    const told = await sums();
    assert.equal(told.length, built + 1);
    near(told[built], sum);
  }
  assert.match(page.url(), /built=3/);
  await choose(() => page.click('#how-back'));
  assert.equal((await sums()).length, 3);
  await choose(() => page.click('#choice-Sum-13'));
  near(Number(await page.getAttribute('#how-logit', 'data-value')), answer.logits[said]);
  near((await sums()).at(-1), answer.logits[said]);
  for (const row of await page.$$eval('table.sum tr.added', (rows) => rows.map(({cells}) => [cells[1].textContent, cells[3].textContent]))) {
    const [[attention, taught], [adds]] = row.map((text) => text.split(' × ').map((part) => Number(part.replace('−', '-').replace('e−', 'e-').replaceAll(',', ''))));
    assert.ok(Math.abs(attention * taught - adds) <= 0.016 * Math.abs(adds), row.join(' is not ')); // as printed, with three digits each
  }
  const {bottom} = await page.$eval('table.sum tfoot tr', (row) => row.getBoundingClientRect());
  assert.ok(bottom <= 901, 'what came on last is in sight');
  await choose(() => page.keyboard.press('ArrowLeft'));
  assert.match(page.url(), /built=12/);
  await choose(() => page.keyboard.press('ArrowRight'));
  assert.ok(await page.isDisabled('#how-next'));
  const again = await newPage(); // the link is the step of the lecture
  await open(page.url().slice(origin.length), again);
  assert.equal((await again.$$('table.sum tbody tr')).length, 14);
  await again.context().close();
  await choose(() => page.keyboard.press('h'));
  assert.ok(page.url().includes('/q/'));
});

test('a text is built likewise, and a run without error signals says that it cannot be', async () => {
  await open(`/r/${text}/how/${nameOf(world.details[2].datasets[0].splits.test.first_sample + 20, text)}?built=13`);
  const shown = new URL(page.url()).pathname.split('/how/')[1], answer = await api(`/answer?sample=${shown}`, text);
  near(Number(await page.getAttribute('#how-logit', 'data-value')), answer.next.find(({token}) => token === answer.predicted).logit);
  await open(`/r/${bare}/how`);
  assert.match(await page.textContent('#how'), /no error signals are recorded/);
  await open(`/r/${text}/q/text?text=The%20old%20dog`);
  await choose(() => page.keyboard.press('h')); // of what is typed it is told with a place of the run
  assert.match(page.url(), /\/how\/test\/book\/\d+/);
});

test('the first visit is offered a tour of five steps, each in the address, that can be left', async () => {
  const at = await newPage();
  await open('/', at);
  await choose(() => at.click('#take-tour'), at);
  for (let step = 1; step <= 5; step++) {
    assert.equal(new URL(at.url()).searchParams.get('tour'), String(step));
    assert.match(await at.textContent('#tour'), new RegExp(`${step} of 5`));
    assert.equal((await at.$$('.toured')).length, 1);
    const shown = await at.$eval('.toured', (section) => section.getBoundingClientRect());
    assert.ok(shown.top < 900 && shown.bottom > 0, `step ${step} is out of sight`);
    if (step < 5) await choose(() => at.click('#tour-next'), at);
  }
  await choose(() => at.click('#tour-next'), at);
  assert.ok(await at.isHidden('#tour') && !at.url().includes('tour'));
  await open('/?tour=3', at); // a link into it
  await choose(() => at.click('#tour-skip'), at);
  assert.ok(await at.isHidden('#tour'));
  await at.click('#dismiss-intro');
  await at.reload();
  await ready(at);
  assert.ok(await at.isHidden('#take-tour')); // no second time
  await at.click('#help');
  await choose(() => at.click('#help-tour'), at);
  assert.match(at.url(), /tour=1/);
  await choose(() => at.keyboard.press('Escape'), at);
  assert.ok(await at.isHidden('#tour') && !at.url().includes('tour'));
  await open(`/r/${first}/q/${sample()}?tour=3`, at);
  await at.evaluate(() => scrollTo(0, 0));
  await choose(() => at.keyboard.press('l'), at); // what the person did is not undone
  assert.equal(await at.evaluate(() => scrollY), 0);
  await open(`/r/${first}/q/${sample()}?tour=5`, at);
  await choose(() => at.click('#tour-how'), at);
  assert.equal(new URL(at.url()).pathname + new URL(at.url()).search, `/r/${first}/how/${sample()}`);
  await at.context().close();
});

test('an address has what is of its view, and nothing else', async () => {
  await open(`/r/${first}/q/${sample()}?layer=1&rank=cosine`);
  await choose(() => page.click('#show-runs'));
  assert.equal(new URL(page.url()).pathname + new URL(page.url()).search, '/runs');
  for (const key of ['l', 'b', 'r', 'n', 'p']) await page.keyboard.press(key);
  assert.equal(new URL(page.url()).pathname + new URL(page.url()).search, '/runs');
  await choose(() => page.click('#show-runs'));
  assert.match(page.url(), new RegExp(`/r/${first}/q/${sample()}\\?layer=1&rank=cosine$`)); // as it was
  await open(`/runs?between=${first},${second}`);
  await choose(() => page.click(`#open-run-${second}`));
  assert.ok(!page.url().includes('between'));
  await open(`/r/${first}/how/${sample()}?built=4`);
  await choose(() => page.keyboard.press('h'));
  assert.ok(!page.url().includes('built'));
  await open(`/r/${first}/q/${sample()}?between=nothing&built=3`); // of other views: nothing to tell
  assert.equal(await page.locator('#notices .notice').count(), 0);
});

test('nothing is wider than the screen, and axe finds no fault, in every size and theme', async () => {
  for (const [width, height, colorScheme] of [[1440, 900, 'dark'], [1024, 768, 'light'], [390, 844, 'light'], [320, 640, 'dark']]) {
    const context = await world.browser.newContext({viewport: {width, height}, colorScheme, bypassCSP: true}), at = await newPage(context);
    for (const address of ['/runs', `/r/${first}/how/${sample()}?built=13`, `/r/${text}/how?built=3`, '/?tour=2']) {
      await open(address, at);
      assert.ok(await at.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${address} at ${width}`);
      await at.evaluate(axeSource);
      const {violations} = await at.evaluate(() => globalThis.axe.run({rules: {'label-content-name-mismatch': {enabled: true}, 'target-size': {enabled: true}}}));
      assert.deepEqual(violations.map(({id, nodes}) => `${id}: ${nodes[0].html}`), [], `${address} at ${width}, ${colorScheme}`);
    }
    await context.close();
  }
});

test('nothing was wrong on the console', () => {
  assert.deepEqual(problems, []);
});

await runAll(() => {
  const book = path.join(folder, 'book');
  mkdirSync(book);
  for (const part of [1, 2, 3]) writeFileSync(path.join(book, `part_${part}.txt`), 'The old dog sat on the mat. A captain looked at the sea. '.repeat(40));
  return [train('first', '--data', 'strokes', '--hidden', '24,16', '--steps', '60', '--batch', '32', '--lr', '0.05'),
    train('second', '--data', 'strokes', '--hidden', '20', '--steps', '80', '--batch', '32', '--lr', '0.05', '--name', 'second'),
    train('text', '--data', `book=${book}`, '--tokens', 'characters', '--hidden', '12', '--embedding', '8', '--batch', '4', '--unroll', '10', '--steps', '60', '--lr', '1'),
    train('bare', '--data', 'strokes', '--hidden', '12', '--steps', '30', '--attention-only', '--name', 'bare')];
}, () => {
  ({page, origin, runs: [first, second, text, bare]} = world);
});
