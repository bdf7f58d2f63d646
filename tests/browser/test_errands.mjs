// Training again, the walk back and the table of scores, as jobs of the page. Prints TAP.
import assert from 'node:assert/strict';
import {existsSync} from 'node:fs';
import {api, axeSource, choose, newPage, problems, ready, run as runAll, test, train, world} from '../lib/browser.mjs';

let page, run, slow, file;

const open = async (path, id = run) => {
  await page.goto(`${world.origin}/r/${id}/q/${path}`);
  await ready();
};
const text = (where) => page.textContent(where);
const number = (shown) => Number(shown.replace('−', '-').replace(/k$/, 'e3'));
const near = (a, b) => Math.abs(a - b) <= 6e-3 * Math.abs(b) + 1e-4; // three digits are shown

test('a click trains again without those that would be missed, and the page shows what came of it', async () => {
  await open('test/strokes/3');
  await page.waitForSelector('#strip-missed-1');
  assert.equal(await page.$('#retrained *'), null);
  await choose(() => page.click('#retrain-missed'));
  assert.match(page.url(), /without=top:\d+$/);
  await page.waitForSelector('#retrained .foretold');
  const {state, answer} = await api(`/retrain?sample=test/strokes/3&without=${/without=(.*)$/.exec(page.url())[1]}`);
  assert.equal(state, 'done');
  const shown = await page.$$eval('.foretold td.number', (all) => all.map(({dataset}) => Number(dataset.value)));
  assert.equal(shown.length, 3);
  for (const [i, value] of [answer.after.loss - answer.before.loss, answer.foretold.influence, answer.foretold.proponents].entries())
    assert.ok(near(shown[i], value), `${shown[i]} ${value}`);
  assert.match(await text('#retrained'), /Without \d+ of 6,000 training images it (still )?says/);
  const rows = await page.$$eval('#retrained .before-after tbody tr', (all) => all.map((row) => [...row.cells].map((cell) => cell.textContent)));
  assert.deepEqual(rows.map(([, , , logit]) => number(logit)), answer.before.logits.map((logit) => Number(logit.toFixed(2))));
  assert.deepEqual(rows.map((row) => number(row[4])), answer.after.logits.map((logit) => Number(logit.toFixed(2))));
});

test('the link shows it at once, in a fresh browser, without training', async () => {
  const fresh = await newPage(null), posts = [];
  fresh.on('request', (request) => request.method() === 'POST' && posts.push(request.url()));
  await fresh.goto(page.url());
  await fresh.waitForSelector('#retrained .foretold');
  assert.deepEqual(posts, []);
  assert.ok(existsSync(`${file}.results`));
  await fresh.context().close();
});

test('a link to what nobody asked for offers it, and does not train by itself', async () => {
  await open('test/strokes/4?without=class:2,sample:7');
  await page.waitForSelector('#retrained-button');
  assert.match(await text('#retrained'), /Without class 2 and train\/strokes\/7/);
  assert.match(await text('#retrained'), /It takes about/);
  assert.equal((await api('/retrain?sample=test/strokes/4&without=class:2,sample:7')).state, 'none');
  await page.click('#retrained-button');
  await page.waitForSelector('#retrained .foretold');
  await choose(() => page.click('#retrained-close'));
  assert.equal(await page.$('#retrained *'), null);
  assert.doesNotMatch(page.url(), /without/);
});

test('whom the walk would miss is a job too, and can be trained again without', async () => {
  await open('test/strokes/3');
  await page.waitForSelector('#strip-missed-1');
  await choose(() => page.click('#choice-Missed-walk'));
  assert.match(page.url(), /missed=walk/);
  await page.click('#walk-button');
  await page.waitForSelector('#strip-walked-1');
  const {answer} = await api('/walk?sample=test/strokes/3');
  const expected = answer.queries[0].influence.slice(0, 10);
  assert.deepEqual(await page.$$eval('#missed .strip-card', (all) => all.map(({dataset}) => Number(dataset.sample))), expected.map(({sample}) => sample.id));
  const sum = expected.reduce((total, {influence}) => total + influence, 0), said = await text('#missed');
  assert.ok(near(number(/by about ([+−][\d.e-]+k?)/.exec(said)[1]), sum), said);
  await page.click('#strip-walked-1');
  await page.waitForSelector('.why-dialog .showings');
  await page.keyboard.press('Escape');
  await choose(() => page.click('#retrain-missed'));
  await page.waitForSelector('#retrained .foretold');
  assert.match(await text('#retrained'), new RegExp(`Without ${expected.length} chosen images`));
});

test('how far each score is true is measured where the scores are chosen', async () => {
  await open('test/strokes/3');
  assert.match(await text('#truth summary'), /How far does this foretell retraining/);
  await page.click('#truth summary');
  await page.click('#truth-button');
  await page.waitForSelector('.truth');
  const {answer} = await api('/truth');
  const shown = await page.$$eval('.truth tr', (rows) => rows.map((row) => [row.dataset.rank, Number(row.querySelector('[data-value]').dataset.value)]));
  assert.deepEqual(shown, answer.scores.map(({rank, rank_correlation: value}) => [rank, value]));
  await choose(() => page.click('#truth-influence'));
  assert.match(page.url(), /rank=influence/);
  await page.waitForFunction(() => document.querySelector('#truth summary b'));
  const mine = answer.scores.find(({rank}) => rank === 'influence').rank_correlation;
  assert.ok(near(number(await text('#truth summary b')), Number(mine.toFixed(2))));
  assert.ok(await page.$eval('#truth', (details) => details.open));
});

test('what is taken out of the memory can be trained again without', async () => {
  await open('test/strokes/5?remove=top:3,steps:1-5&rank=cosine&layer=1');
  await choose(() => page.click('#retrain-removed'));
  assert.match(page.url(), /without=top:3&among=cosine@1/);
  await page.waitForSelector('#retrained .foretold');
  const {answer} = await api('/retrain?sample=test/strokes/5&without=top:3&rank=cosine&layer=1');
  assert.equal(answer.without, 3);
  assert.match(await text('#retrained'), /the first 3 by “cosine” in layer 1/);
  await open('test/strokes/5?remove=all');
  assert.equal(await page.$('#retrain-removed'), null);
});

test('a job tells how far it is, and is cancelled', async () => {
  await open('test/strokes/3', slow);
  await page.waitForSelector('#truth');
  if (!await page.$eval('#truth', (details) => details.open)) await page.click('#truth summary');
  await page.click('#truth-button');
  await page.waitForSelector('#truth progress');
  await page.waitForFunction(() => document.querySelector('#truth progress')?.value > 0);
  assert.equal(await page.getAttribute('#truth progress', 'aria-label'), 'Training again, and again, without some…');
  await choose(() => page.click('#next')); // it goes on, wherever one looks
  await page.waitForSelector('#truth progress');
  await page.click('#truth-button');
  await page.waitForFunction(() => document.querySelector('#truth-job')?.dataset.job === 'cancelled');
  assert.match(await text('#truth'), /Cancelled/);
});

test('what an address cannot mean is told', async () => {
  for (const [query, words] of [['without=steps:1-2', 'without=steps:1-2, but without is a list of top:N'], ['among=nothing', 'among is RANK'],
    ['missed=never', 'missed is estimate or walk']]) {
    await open(`test/strokes/3?${query}`);
    assert.ok((await text('#notices')).includes(words), await text('#notices'));
  }
});

test('those marked wrong are left out of a training from the suspects', async () => {
  await page.goto(`${world.origin}/r/${run}/suspects`);
  await ready();
  assert.equal(await page.$('#retrain-marked *'), null);
  const {suspects} = await api('/suspects?limit=60'), first = (split) => suspects.find(({sample}) => sample.split === split)?.rank;
  if (first('test')) { // held out: nobody was trained on it
    await page.focus(`#suspect-${first('test')}`);
    await page.keyboard.press('w');
    await page.waitForFunction(() => document.querySelector('.marks-summary b').textContent === '1');
    assert.equal(await page.$('#retrain-marked *'), null);
  }
  await page.focus(`#suspect-${first('train')}`);
  await page.keyboard.press('w');
  await page.waitForSelector('#retrain-marked-button');
  await page.click('#retrain-marked-button');
  await page.waitForSelector('#retrain-marked .verdict');
  assert.match(await text('#retrain-marked'), /without the one that is marked wrong. Test accuracy [\d.]+\u00a0%, then [\d.]+\u00a0%/);
  await page.focus(`#suspect-${suspects.filter(({sample}) => sample.split === 'train')[1].rank}`);
  await page.keyboard.press('w');
  await page.waitForSelector('#retrain-marked-button'); // another question
});

test('axe finds nothing wrong in it, and it is not wider than a phone', async () => {
  for (const width of [1440, 390]) {
    await page.setViewportSize({width, height: 900});
    await open('test/strokes/3?without=top:10&missed=walk');
    await page.waitForSelector('#retrained .foretold, #retrained-button');
    await page.evaluate(() => document.querySelector('#missed').scrollIntoView());
    await page.waitForSelector('#strip-walked-1');
    await page.click('#truth summary');
    await page.waitForSelector('.truth');
    await page.evaluate(axeSource);
    const found = await page.evaluate(() => window.axe.run({runOnly: ['wcag2a', 'wcag2aa']}));
    assert.deepEqual(found.violations.map(({id, nodes}) => [id, nodes.map(({html}) => html)]), []);
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
  }
});

test('nothing was wrong on the console', async () => {
  assert.deepEqual(problems, []);
});

await runAll(() => {
  file = train('strokes', '--data', 'strokes', '--hidden', '40,24', '--steps', '80', '--batch', '32', '--lr', '0.05');
  return [file, train('slow', '--data', 'strokes', '--hidden', '64', '--steps', '4000', '--batch', '64', '--lr', '0.02')];
}, (world) => {
  ({page} = world);
  [run, slow] = world.runs;
});
