// Every state that the page can be in, by axe, and none wider than the screen. Prints TAP.
import {mkdirSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import assert from 'node:assert/strict';
import {axeSource, folder, nameOf, newPage, problems, run as runAll, test, train, world} from '../lib/browser.mjs';

const RULES = {'label-content-name-mismatch': {enabled: true}, 'target-size': {enabled: true}};

/** Name, address, what is clicked there, whether the panels are drawn, too.
 *  @returns {Array<[string, string, string[], boolean?]>} */
function states() {
  const [images, text] = world.runs, q = `/r/${images}/q/${nameOf(world.details[0].datasets[0].splits.test.first_sample + 12)}`;
  const read = `/r/${text}/q/${nameOf(world.details[1].datasets[0].splits.test.first_sample + 30, text)}`;
  return [['a query', q, [], true], ['a removal', `${q}?remove=top:50,class:4`, []], ['what may be trained again', `${q}?without=top:10`, []],
    ['the walk back', `${q}?missed=walk`, []], ['the table of truth', q, ['#truth summary']], ['a comparison', `${q}?with=test/strokes/13`, []],
    ['suspects', `/r/${images}/suspects`, []], ['why', q, ['.strip-card']], ['sharing', q, ['#share']], ['help', q, ['#help']], ['the run', q, ['#about-run']],
    ['the pad', q, ['#draw']], ['confusions', q, ['#confusion']], ['taking away', q, ['button:text-is("Take away")']], ['votes that nobody counted', `${q}?vote=differs`, []],
    ['no sample', `${q}?name=zzz`, []], ['a notice', `${q}?layer=9`, []], ['no address', '/nothing', []], ['a text', read, [], true],
    ['a typed text', `/r/${text}/q/text?text=The%20old%20dog`, []], ['a text that is walked back from', `${read}?missed=walk&without=top:3`, []], ['gates', `${read}?layer=1`, []]];
}

/** @param {import('playwright-core').Page} at @param {string} name @param {string} address @param {string[]} clicks @param {boolean} hasPanels */
async function look(at, name, address, clicks, hasPanels) {
  await at.goto(world.origin + address);
  await at.waitForFunction(() => document.body.dataset.state === 'ready');
  if (hasPanels) {
    await at.evaluate(() => document.querySelector('#panels').scrollIntoView());
    await at.waitForFunction(() => document.body.dataset.panels === 'ready');
  }
  for (const click of clicks) await at.locator(click).first().click();
  await at.waitForTimeout(250); // what is asked for on the way comes
  await at.evaluate(axeSource);
  const {violations} = await at.evaluate((rules) => globalThis.axe.run({rules}), RULES);
  assert.deepEqual(violations.map(({id, nodes}) => `${id}: ${nodes[0].html}`), [], name);
  assert.ok(await at.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${name} is wider than the screen`);
}

for (const [width, height, colorScheme] of [[1440, 900, 'dark'], [390, 844, 'light']])
  test(`axe finds nothing in any state at ${width} pixels, ${colorScheme}`, async () => {
    const context = await world.browser.newContext({viewport: {width, height}, colorScheme, bypassCSP: true, reducedMotion: 'reduce'}), at = await newPage(context);
    for (const [name, address, clicks, hasPanels] of states()) await look(at, name, address, clicks, hasPanels ?? false);
    await context.close();
  });

test('nothing was wrong on the console', () => {
  assert.deepEqual(problems.filter((problem) => !/404 \(Not Found\)/.test(problem)), []); // one address is none
});

await runAll(() => {
  const book = path.join(folder, 'book');
  mkdirSync(book);
  for (const part of [1, 2, 3]) writeFileSync(path.join(book, `part_${part}.txt`), 'The old dog sat on the mat. A captain looked at the sea. '.repeat(40));
  return [train('strokes', '--data', 'strokes', '--hidden', '40,24', '--steps', '60', '--batch', '32', '--lr', '0.05'),
    train('text', '--data', `book=${book}`, '--tokens', 'characters', '--gate-errors', '--hidden', '12', '--embedding', '8', '--batch', '4', '--unroll', '10', '--steps', '60', '--lr', '1')];
}, () => {});
