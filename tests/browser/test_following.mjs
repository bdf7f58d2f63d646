// A run in training on the page: said to be one, its later checkpoints offered, its end, too. Prints TAP.
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import path from 'node:path';
import assert from 'node:assert/strict';
import {axeSource, choose, folder, keylight, newPage, panelsReady, problems, ready, run as runAll, test, train} from '../lib/browser.mjs';

let page, origin, training, id;
const file = path.join(folder, 'long.keylight');
const OPTIONS = ['--data', 'strokes', '--hidden', '300,300', '--batch', '2', '--steps', '8000', '--checkpoint-steps', '50', '--evaluation-steps', '100', '--output', file];

const number = (text) => Number(/step ([\d,]+)/.exec(text)[1].replaceAll(',', ''));
const listed = async () => (await (await fetch(`${origin}/api/v1/runs`)).json()).runs;

/** Begins a training, or goes on with one, as far as the next line that it prints: then it stands still. */
async function begin(...how) {
  training = spawn(keylight, ['train', ...how], {stdio: ['ignore', 'ignore', 'pipe']});
  await goOn(2);
}

async function goOn(nLines) {
  training.kill('SIGCONT');
  while (nLines > 0) nLines -= String(await once(training.stderr, 'data')).split('\n').length - 1;
  training.kill('SIGSTOP');
}

/** Lets the training go on, a little at a time, until the page shows what is asked for. */
async function advance(shown) {
  for (let i = 0; i < 40; i++) {
    await goOn(1);
    for (let waited = 0; waited < 100; waited++) { // a copy is made seldom, the more seldom the longer it takes
      if (await shown()) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
  assert.fail('no later checkpoint was shown');
}

test('what is shown is said to be as of a checkpoint', async () => {
  id = (await listed()).find(({unfinished}) => unfinished).id;
  await page.goto(`${origin}/r/${id}/q/test/strokes/7`);
  await ready();
  assert.match(await page.textContent('#training'), /In training\. What you see is the network after step [\d,]+ of 8,000/);
  assert.equal(await page.getAttribute('#training', 'role'), 'status');
  assert.ok((await page.$$('.strip, .argument')).length > 0, 'there are strips');
  assert.equal(await page.locator('#missed [id^="train-again"], #missed-walk').count(), 0);
});

test('a later checkpoint is offered, and shown when it is asked for', async () => {
  const before = number(await page.textContent('#training span')), logits = await page.textContent('#answer');
  await advance(() => page.$('#show-later'));
  assert.equal(number(await page.textContent('#training span')), before, 'what is shown changed by itself');
  assert.equal(await page.textContent('#answer'), logits);
  await page.click('#show-later');
  await page.waitForFunction((then) => Number(/step ([\d,]+)/.exec(document.querySelector('#training span').textContent)[1].replaceAll(',', '')) > then, before);
  await page.waitForFunction((then) => document.querySelector('#answer').textContent !== then, logits); // the address is the same
  await ready();
  assert.match(page.url(), new RegExp(`/r/${id}/q/test/strokes/7$`));
});

test('its curve grows on the page of runs', async () => {
  await choose(() => page.click('#show-runs'));
  const steps = () => page.$eval(`tr[data-run="${id}"]`, (row) => Number(row.children[5].textContent.replaceAll(',', '')));
  const before = await steps();
  await advance(async () => await steps() > before);
  assert.equal((await page.$$('#runs .plot canvas')).length, 2);
  await choose(() => page.click('#show-runs'));
  await panelsReady();
  await page.evaluate(axeSource);
  for (const [width, height] of [[1440, 900], [390, 844], [320, 700]]) {
    await page.setViewportSize({width, height});
    const found = await page.evaluate(() => axe.run(document, {resultTypes: ['violations']}));
    assert.deepEqual(found.violations.map(({id: rule, nodes}) => `${rule}: ${nodes[0].html.slice(0, 120)}`), []);
    await page.waitForFunction(() => document.documentElement.scrollWidth <= innerWidth);
  }
  await page.setViewportSize({width: 1440, height: 900});
});

test('one that was cut off is said to be, and goes on', async () => {
  training.kill('SIGKILL');
  await page.waitForFunction(() => /cut off/.test(document.querySelector('#training').textContent), null, {timeout: 60000});
  await begin('--resume', file);
  await page.waitForFunction(() => /In training/.test(document.querySelector('#training').textContent), null, {timeout: 60000});
});

test('its end is told, and the finished run takes its place in the address', async () => {
  const other = await newPage(), runsPage = await newPage(); // who does not take the offer loses nothing, either
  await other.goto(`${origin}/r/${id}/q/test/strokes/7`);
  await ready(other);
  await runsPage.goto(`${origin}/r/${id}/q/test/strokes/7`);
  await ready(runsPage);
  await choose(() => runsPage.click('#show-runs'), runsPage);
  training.kill('SIGCONT');
  await page.waitForSelector('#show-finished', {timeout: 240000}); // as long as the training may take
  await other.waitForSelector('#show-finished', {timeout: 60000});
  await choose(() => page.click('#show-finished'));
  assert.equal(await page.locator('#training').isHidden(), true);
  const done = (await listed()).find(({file: name}) => name === 'long.keylight');
  assert.match(page.url(), new RegExp(`/r/${done.id}/q/test/strokes/7$`));
  await choose(() => other.keyboard.press('n'), other);
  assert.match(other.url(), new RegExp(`/r/${done.id}/q/test/strokes/8$`));
  await runsPage.waitForSelector(`tr[data-run="${done.id}"]`, {timeout: 60000});
  await choose(() => runsPage.click('#show-runs'), runsPage);
  assert.match(runsPage.url(), new RegExp(`/r/${done.id}/q/test/strokes/7$`));
  for (const each of [other, runsPage]) await each.context().close();
  await page.goto(`${origin}/r/${id}/q/test/strokes/7`);
  await ready();
  assert.match(page.url(), new RegExp(`/r/${done.id}/q/test/strokes/7$`), 'a link of while it was in training');
});

test('nothing went wrong on the console or on the server', () => {
  assert.deepEqual(problems.filter((text) => !text.includes('as of its last checkpoint')), []);
});

const other = train('other', '--data', 'strokes', '--hidden', '20', '--steps', '60');
try {
  await begin(...OPTIONS);
  await runAll(() => [other, `${file}.part`], (at) => { ({page, origin} = at); });
} finally {
  training.kill('SIGKILL');
}
