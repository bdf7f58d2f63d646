// The first screen: the question, the strips, and why. Prints TAP.
import assert from 'node:assert/strict';
import {api, axeSource, choose, newPage, problems, ready, run as runAll, test, train} from '../lib/browser.mjs';

let origin, page, run;

const number = (text) => Number(text.replace('−', '-').replace(/k$/, 'e3'));
const near = (a, b) => Math.abs(a - b) <= 6e-3 * Math.abs(b) + 1e-4; // three digits are shown

const open = async (path) => {
  await page.goto(`${origin}/r/${run}/q/${path}`);
  await ready();
};

/** What the strips show. */
const strips = () => page.$$eval('.argument', (all) => all.map((strip) => ({id: strip.id.replace('strip-', ''),
  title: strip.querySelector('h3').textContent, sentence: strip.querySelector('p').textContent,
  cards: [...strip.querySelectorAll('.strip-card')].map(({dataset}) =>
    ({sample: Number(dataset.sample), attention: Number(dataset.attention), contribution: Number(dataset.contribution)}))})));

test('the question stands on top, goes when it was read, and comes back from the help', async () => {
  await page.goto(origin);
  await ready();
  const said = await page.textContent('.predicted');
  assert.ok((await page.textContent('#intro')).startsWith(`Which training images is this network looking at when it says ${said}?`));
  await page.click('#dismiss-intro');
  assert.ok(await page.isHidden('#intro'));
  await page.reload();
  await ready();
  assert.ok(await page.isHidden('#intro'));
  await page.click('#help');
  await page.click('#intro-back');
  await page.keyboard.press('Escape');
  assert.ok(await page.isVisible('#intro'));
});

test('what would be missed most is an estimate, sorted, summed, and opens in the spotlight', async () => {
  await open('test/strokes/3');
  await page.waitForSelector('#strip-missed-1');
  const {spotlight} = await api('/spotlight?sample=test/strokes/3&by=sample&k=10&rank=influence');
  const shown = await page.$$eval('#missed .strip-card', (all) => all.map(({dataset}) => Number(dataset.sample)));
  assert.deepEqual(shown, spotlight.filter(({score}) => score > 0).map(({sample}) => sample.id));
  const said = await page.textContent('#missed');
  const sum = spotlight.reduce((total, {score}) => total + Math.max(score, 0), 0);
  assert.ok(near(number(/by about ([+−][\d.e-]+k?)/.exec(said)[1]), sum), said);
  assert.match(said, /an estimate.*Train again without these/s);
  await page.click('#strip-missed-1');
  await page.waitForSelector('.why-dialog');
  await page.keyboard.press('Escape');
  await choose(() => page.click('#open-missed'));
  assert.match(page.url(), /rank=influence/);
});

test('of sixty wrong images every strip shows what its title says, sorted, and sums to what it says', async () => {
  const {samples} = await api('/samples?split=test&correct=false&limit=60');
  assert.equal(samples.length, 60);
  for (const sample of samples) {
    await open(sample.id);
    const answer = await api(`/answer?sample=${sample.id}`);
    const shown = await strips();
    const said = answer.predicted, label = sample.target;
    assert.deepEqual(shown.map(({id, title}) => [id, title]), [['looks', 'It looks at'], ['for', `For ${said}`],
      ['against', `Against ${said}`], ['label', `For ${label}, its label`]]);
    for (const {id, sentence, cards} of shown) {
      const rank = {looks: 'abs', for: `logit:${said}`, against: `against:${said}`, label: `logit:${label}`}[id];
      const {spotlight, scores} = await api(`/spotlight?sample=${sample.id}&by=sample&k=10&rank=${rank}`);
      const whole = answer.correction[id === 'label' ? label : said];
      const expected = spotlight.filter(({contribution: c}) => id === 'looks' || (id === 'against' ? c < 0 : c > 0));
      assert.deepEqual(cards, expected.map((lit) => ({sample: lit.sample.id, attention: lit.attention, contribution: lit.contribution})));
      assert.equal(new Set(cards.map((card) => card.sample)).size, cards.length, 'no two cards are the same image');
      const values = cards.map((card) => id === 'looks' ? -Math.abs(card.attention) : id === 'against' ? card.contribution : -card.contribution);
      assert.deepEqual(values, [...values].sort((a, b) => a - b));
      const told = [...sentence.matchAll(/[+−]\d[\d.]*(?:e-\d+|k)?/g)].map(([text]) => number(text));
      const sum = cards.reduce((total, card) => total + card.contribution, 0);
      assert.ok(near(told[0], sum), `${id} of ${sample.id}: ${sentence}, but they sum to ${sum}`);
      assert.ok(sentence.includes(scores.count.toLocaleString('en-US')));
      if (id === 'looks') continue;
      assert.ok(near(told[1], whole), `${sentence}, but the correction is ${whole}`);
      if (/\s% of the correction/.test(sentence)) assert.ok(Math.abs(Number(/(\d+)\s% of/.exec(sentence)[1]) - 100 * sum / whole) <= 0.51);
      else assert.match(sentence, Math.sign(sum) === Math.sign(whole) ? /the others (take|give) back [\d.,k]+\.$/ : /the rest outweighs them\.$/);
    }
  }
});

test('a right answer has three strips', async () => {
  const {samples: [right]} = await api('/samples?split=test&correct=true&limit=1');
  await open(right.id);
  assert.deepEqual((await strips()).map(({id}) => id), ['looks', 'for', 'against']);
});

test('a strip opens into the whole spotlight', async () => {
  const {samples: [wrong]} = await api('/samples?split=test&correct=false&limit=1');
  await open(wrong.id);
  const {cards} = (await strips()).find(({id}) => id === 'against');
  await choose(() => page.click('#open-against'));
  assert.match(page.url(), /rank=against:\d+/);
  assert.match(page.url(), /by=sample/);
  const lit = await page.$$eval('.card', (all) => all.map(({dataset}) => Number(dataset.sample)));
  assert.deepEqual(lit.slice(0, cards.length), cards.map((card) => card.sample));
});

test('a card says why: its showings sum to its contribution, and the pixels to the attention of layer 1', async () => {
  const {samples: [wrong]} = await api('/samples?split=test&correct=false&limit=1');
  await open(wrong.id);
  const {cards: [first]} = (await strips()).find(({id}) => id === 'for');
  await page.click('#strip-for-1');
  await page.waitForSelector('#why-total');
  const total = Number(await page.getAttribute('#why-total', 'data-value'));
  assert.ok(Math.abs(total - first.contribution) <= 1e-5 * (1 + Math.abs(total)));
  const {showings, products} = await api(`/why?sample=${wrong.id}&training=${first.sample}`);
  assert.equal(await page.$$eval('.showings tbody tr', (rows) => rows.length), showings.length);
  for (const one of showings)
    assert.ok(Math.abs((one.attention + 1) * one.coefficient * one.error - one.contribution) <= 1e-5 * (1 + Math.abs(one.contribution)));
  const {spotlight} = await api(`/spotlight?sample=${wrong.id}&layer=1&by=sample&k=1000`);
  const there = spotlight.find((lit) => lit.sample.id === first.sample);
  const sum = products.reduce((a, b) => a + b, 0);
  assert.ok(Math.abs(sum * there.repetitions - there.attention) <= 2e-3 * Math.abs(there.attention) + 1e-3, `${sum} ${there.attention}`);
  assert.equal(await page.$eval('.products', (canvas) => canvas.width * canvas.height), products.length);
  await page.keyboard.press('Escape');
  await page.click('#strip-for-1');
  await page.waitForSelector('#why-total');
  await choose(() => page.click('#why-explain'));
  assert.ok(page.url().endsWith(String(first.sample)));
});

test('the controls offer what applies: no layer where a ranking sums over all', async () => {
  await open(6004);
  assert.equal(await page.locator('#spotlight .choice[aria-label="Layer"]').count(), 1);
  for (const name of ['lowered its loss', 'raised its loss', 'argues for, all layers']) {
    await choose(() => page.click(`#spotlight .choice[aria-label="Rank by"] button:text-is("${name}")`));
    assert.equal(await page.locator('#spotlight .choice[aria-label="Layer"]').count(), 0, name);
    assert.match(await page.textContent('#spotlight .card'), new RegExp(name), 'the card has the ranking’s name');
  }
});

test('a removal says first that it is no retraining, and shouts no probability', async () => {
  await open('6004?remove=top:5');
  const text = await page.textContent('#removal');
  assert.match(text, /^Without part of the memory(CSV)?(Take away)?The stored trajectory without these, not a retraining/);
  assert.doesNotMatch(text, /\d\s%/);
});

test('pictures are shown as they are in both themes', async () => {
  for (const colorScheme of ['dark', 'light']) {
    const at = await newPage(undefined, {colorScheme});
    await at.goto(`${origin}/r/${run}/q/6004`);
    await ready(at);
    for (const picture of ['.subject', '.strip-card img'])
      assert.equal(await at.$eval(picture, (image) => getComputedStyle(image).filter), 'none', `${picture}, ${colorScheme}`);
    await at.context().close();
  }
});

test('axe finds nothing wrong in the dialog', async () => {
  const at = await newPage(undefined, {bypassCSP: true});
  await at.goto(`${origin}/r/${run}/q/6004`);
  await ready(at);
  await at.click('#strip-looks-1');
  await at.waitForSelector('#why-total');
  await at.addScriptTag({content: axeSource});
  const {violations} = await at.evaluate(() => window.axe.run());
  assert.deepEqual(violations.map(({id, nodes}) => `${id}: ${nodes[0].html.slice(0, 160)}`), []);
  await at.context().close();
});

test('nothing was wrong on the console', async () => {
  assert.deepEqual(problems, []);
});

await runAll(() => [train('strokes', '--data', 'strokes', '--hidden', '24', '--steps', '24', '--batch', '32', '--lr', '0.02')], (world) => {
  ({origin, page} = world);
  [run] = world.runs;
});
