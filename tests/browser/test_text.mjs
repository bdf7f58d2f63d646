// The page of text runs: reading, asking, typing, writing on, against the API's numbers (which
// tests/server/test_text.py recomputes from the file). Prints TAP.
import {mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import assert from 'node:assert/strict';
import {api, idAt, nameOf, axeSource, choose, folder, newPage, panelsReady, problems, ready, run as runAll, test, train, world}
  from '../lib/browser.mjs';

let origin, page, run, words, bare, images;
const SAMPLE = 300;

/** A small book in which sentences come again, with Unicode and line breaks. */
function writeBook() {
  const book = path.join(folder, 'book');
  mkdirSync(book);
  const who = ['the cat', 'the old dog', 'a captain', 'Zoë'], what = ['sat on', 'looked at', 'sang of'],
    where = ['the mat', 'the sea', 'the ship’s deck'];
  for (let part = 1; part <= 3; part++) {
    let text = '';
    for (let i = 0; i < 60; i++)
      text += `${who[(i * 7 + part) % 4]} ${what[(i * 5 + part) % 3]} ${where[(i * 11) % 3]}.${['\n', ' ', ' ', '\n\n'][i % 4]}`;
    writeFileSync(path.join(book, `part_${part}.txt`), text);
  }
  return book;
}

const answerOf = (query = '', of = run) => api(`/attention?sample=${SAMPLE}${query}`, of);

async function open(address) {
  await page.goto(`${origin}${address}`);
  await panelsReady();
}

/** The rows of a section's CSV, without the head. */
async function csv(section) {
  const [download] = await Promise.all([page.waitForEvent('download'), page.click(`${section} .head button:text-is("CSV")`)]);
  return readFileSync(await download.path(), 'utf8').trim().split('\r\n').slice(1);
}

test('a text run opens at a place of its test text, with what follows there', async () => {
  await open(`/r/${run}`);
  assert.match(page.url(), new RegExp(`/r/${run}/q/test/[^/]+/\\d+$`));
  const sample = idAt();
  const answer = await api(`/attention?sample=${sample}`);
  assert.equal(answer.subject.split, 'test');
  assert.equal(await page.textContent('#samples-title'), 'Text');
  assert.match(await page.textContent('.stats'), /bits per token on test/);
  assert.equal(await page.locator('.page .chosen').count(), 1);
});

test('next tokens are the API’s, in its order, with guess and correction', async () => {
  await open(`/r/${run}/q/${SAMPLE}`);
  const answer = await answerOf();
  const rows = await page.$$eval('.next tbody tr', (trs) => trs.map((tr) => [...tr.querySelectorAll('td.number')].map((td) => td.textContent)));
  assert.ok(rows.length >= 10);
  rows.slice(0, 10).forEach((row, i) => {
    assert.equal(parseFloat(row[0]).toFixed(1), (100 * answer.next[i].probability).toFixed(1));
    assert.equal(parseFloat(row[1].replace('−', '-')), Number(answer.next[i].logit.toFixed(2)));
  });
  assert.match(await page.textContent('#answer'), /dual = primal within/);
});

test('the strips are a concordance: what it reads from, what argues for and against, each a line of its context', async () => {
  const {strips} = await api(`/strips?sample=${SAMPLE}`);
  assert.match(await page.textContent('#intro'), /^Which passages is this network reading from when it expects “/);
  const shown = await page.$$eval('.argument', (all) => all.map((strip) => ({title: strip.querySelector('h3').textContent,
    sentence: strip.querySelector('p').textContent, lines: [...strip.querySelectorAll('.place')].map((line) => ({
      sample: Number(line.dataset.sample), lit: line.querySelector('.at').textContent, left: line.querySelector('.at').getBoundingClientRect().left}))})));
  assert.deepEqual(shown.map(({title}) => title.replace(/“.*”/, 'u')), ['It reads from', 'For u', 'Against u', 'For u, which follows'].slice(0, strips.length));
  strips.forEach((strip, i) => {
    assert.equal(shown[i].sentence, strip.sentence);
    assert.deepEqual(shown[i].lines.map(({sample}) => sample), strip.cards.map(({sample}) => sample));
    shown[i].lines.forEach(({lit}, place) => {
      const {texts, offset} = strip.cards[place];
      assert.equal(lit, texts[offset].trim() || {' ': '␣', '\n': '⏎'}[texts[offset]]);
    });
    const columns = shown[i].lines.map(({left}) => left);
    assert.ok(Math.max(...columns) - Math.min(...columns) < 12, 'the attended tokens stand in one column');
  });
  await choose(() => page.click('#strip-for-1'));
  assert.ok(page.url().endsWith(`/q/${nameOf(strips[1].cards[0].sample)}`));
  await open(`/r/${run}/q/${SAMPLE}`);
});

test('passages are the API’s, with the attended token lit and what followed framed', async () => {
  const {passages} = await answerOf();
  const shown = await page.$$eval('.passage', (items) => items.map((item) => ({attention: Number(item.dataset.attention),
    sample: Number(item.dataset.sample), lit: item.querySelector('mark.lit').textContent})));
  assert.equal(shown.length, passages.length);
  passages.forEach((passage, i) => {
    assert.equal(shown[i].sample, passage.places[0].sample);
    assert.equal(shown[i].attention, passage.places[0].attention);
  });
  assert.equal(await page.locator('.passage').first().locator('mark.follows').count() > 0, true);
  const rows = await csv('#spotlight');
  assert.ok(rows.length >= passages.length);
});

test('the text is shown as it is: Unicode, spaces and line breaks', async () => {
  const reading = await api(`/reading?sample=0&count=900`);
  await open(`/r/${run}/q/40`);
  const shown = await page.textContent('.page');
  assert.equal(shown.replaceAll('⏎', '').replaceAll('␣', ' '), reading.texts.join(''));
  assert.ok(shown.includes('Zoë') && shown.includes('’'));
});

test('a click on a token asks what follows it; arrow keys go to its neighbours', async () => {
  await open(`/r/${run}/q/40`);
  await choose(() => page.click('.token[data-i="45"]'));
  assert.match(page.url(), /\/q\/train\/\w+\/45$/);
  await page.focus('#page');
  await choose(() => page.keyboard.press('ArrowRight'));
  assert.match(page.url(), /\/q\/train\/\w+\/46$/);
  assert.equal(await page.evaluate(() => document.activeElement?.id), 'page');
  await choose(() => page.click('#previous'));
  assert.match(page.url(), /\/q\/train\/\w+\/45$/);
  await choose(() => page.goBack());
  assert.match(page.url(), /\/q\/train\/\w+\/46$/);
});

test('documents and pages lead through the text', async () => {
  const {documents} = await api('/documents');
  const last = documents[1];
  await choose(() => page.selectOption('#documents', String(last.sample)));
  assert.match(page.url(), new RegExp(`/q/${nameOf(last.sample)}$`));
  await choose(() => page.click('#page-on'));
  const first = Number(await page.getAttribute('.page .token.chosen', 'data-i'));
  assert.equal(first, 0);
});

test('a typed text is a query, each of its tokens too, and its address says it all', async () => {
  await page.fill('#typed', 'the old dog sang of ');
  await choose(() => page.click('#read'));
  await panelsReady();
  assert.match(page.url(), /\/q\/text\?text=the\+old\+dog\+sang\+of\+$/);
  const address = page.url();
  const body = JSON.stringify({text: 'the old dog sang of '});
  const answer = await (await fetch(`${origin}/api/v1/runs/${run}/attention`, {method: 'POST', body,
    headers: {'Content-Type': 'application/json'}})).json();
  assert.equal(await page.getAttribute('.passage', 'data-sample'), String(answer.passages[0].places[0].sample));
  await choose(() => page.click('.page .token[data-i="4"]'));
  assert.match(page.url(), /place=4/);
  assert.match(await page.textContent('#answer'), /bits of surprise/);
  const stranger = await newPage();
  await stranger.goto(address);
  await ready(stranger);
  assert.equal(await stranger.inputValue('#typed'), 'the old dog sang of ');
  assert.equal(await stranger.getAttribute('.passage', 'data-sample'), String(answer.passages[0].places[0].sample));
  await stranger.context().close();
  await choose(() => page.click('#own-text'));
  assert.match(page.url(), /\/q\/\w+\/\w+\/\d+$/);
});

test('layer, rank, continuation and summing go to the address and change the spotlight', async () => {
  await open(`/r/${run}/q/${SAMPLE}`);
  await choose(() => page.click('#choice-Layer-1'));
  assert.match(page.url(), /layer=1/);
  await choose(() => page.click('#choice-Rank-by-logit'));
  assert.match(await page.textContent('#spotlight .legend'), /first order/);
  await choose(() => page.click('#choice-By-sample'));
  const answer = await answerOf('&layer=1&rank=logit&by=sample');
  assert.equal(await page.getAttribute('.passage', 'data-sample'), String(answer.passages[0].places[0].sample));
  const token = answer.next[1].token;
  await choose(() => page.selectOption('#select-Continuation', String(token)));
  const only = await answerOf(`&layer=1&rank=logit&by=sample&class=${token}`);
  assert.equal(await page.locator('.passage').count(), only.passages.length);
  assert.ok(only.passages.every((passage) => passage.places.every((place) => passage.tokens[place.offset + 1] === token)));
});

test('a passage can be asked about in its turn', async () => {
  await open(`/r/${run}/q/${SAMPLE}`);
  const sample = await page.getAttribute('.passage', 'data-sample');
  await choose(() => page.click('#ask-1'));
  assert.match(page.url(), new RegExp(`/q/${nameOf(sample)}$`));
});

test('totals, time, learning and the text’s length are told as the API does', async () => {
  await open(`/r/${run}/q/${SAMPLE}`);
  const answer = await answerOf('&views=time,learning,samples');
  const totals = await csv('#by-token');
  assert.equal(totals.length, answer.by_token.length);
  assert.equal(Number(totals[0].split(',').at(-5)), answer.by_token[0].patterns);
  assert.equal((await csv('#text-time')).length, 3 * answer.time.first_steps.length);
  assert.equal((await csv('#text-learning')).length, answer.learning.steps.length * answer.learning.tokens.length);
  assert.equal((await csv('#along')).length, answer.along.documents.length);
  const strongest = (await csv('#strongest')).map((row) => row.split(','));
  const {curves} = await answerOf('&views=curves');
  assert.equal(strongest.length, curves.reduce((sum, curve) => sum + curve.attention.length, 0));
  assert.equal(Number(strongest[0][3]), curves[0].sample[0]);
});

test('the heat map shows every token’s best positions', async () => {
  const heat = await api(`/heat?sample=${SAMPLE - 47}&count=48&layer=2&rank=abs`);
  assert.equal(await page.locator('table.heat tbody tr').count(), heat.columns.length);
  assert.equal(await page.locator('.heat-token').count(), 48);
  await page.mouse.move(0, 0); // a pointer that scrolling brings over a token would look at that one
  await page.focus('#heat-10');
  const [best] = heat.rows[10].best;
  await page.waitForFunction((text) => document.querySelector('.heat-best')?.textContent?.includes(text), best.texts.join('').replaceAll('\n', '⏎').slice(0, 5));
  await choose(() => page.click('.heat-best .snippet'));
  assert.match(page.url(), new RegExp(`/q/${nameOf(best.sample)}$`));
});

test('it writes on, and every token that it wrote is a query', async () => {
  await open(`/r/${run}/q/${SAMPLE}`);
  await page.evaluate(() => {
    const slider = document.getElementById('temperature');
    slider.value = '0';
    slider.dispatchEvent(new Event('input'));
  });
  await choose(() => page.click('#go-on'));
  const text = await page.inputValue('#typed');
  const before = (await api(`/reading?sample=${SAMPLE - 119}&count=120`)).texts.join('');
  assert.ok(text.startsWith(before) && text.length > before.length + 150, text);
  assert.match(page.url(), /place=119/);
  const predicted = await page.textContent('.predicted code');
  assert.equal(predicted.replace('␣', ' ').replace('⏎', '\n'), text[before.length]); // freedom 0: the most expected
  await choose(() => page.click('.page .token[data-i="150"]'));
  assert.match(page.url(), /place=150/);
});

test('part of the output layer’s memory can be taken out and put back', async () => {
  await open(`/r/${run}/q/${SAMPLE}`);
  await choose(() => page.selectOption('#select-Remove-the-top-of-the-spotlight', 'top:100'));
  const {removed, next} = await answerOf('&remove=top:100');
  assert.equal(await page.locator('.before-after tbody tr').count(), 10);
  const without = await page.textContent('.before-after .without');
  assert.equal(parseFloat(without.replace('−', '-')), Number(next[0].logit_without.toFixed(2)));
  assert.ok((await page.textContent('#removal')).includes(`${removed.patterns} of`));
  await choose(() => page.click('.term'));
  assert.doesNotMatch(page.url(), /remove/);
});

test('words keep their spaces, and what is approximate is said', async () => {
  await open(`/r/${words}/q/100`);
  const reading = await api('/reading?sample=0&count=220', words);
  assert.equal((await page.textContent('.page')).replaceAll('⏎', ''), reading.texts.join(''));
  assert.match(await page.textContent('#answer'), /approximate: .* left out/);
});

test('a run without error signals has attention only, and says so', async () => {
  await open(`/r/${bare}/q/100`);
  assert.match(await page.textContent('#answer'), /no error signals are recorded: attention only/);
  assert.equal(await page.locator('#choice-Rank-by-logit').count(), 0);
  assert.match(await page.textContent('#removal'), /no error signals are recorded/);
});

test('what is not known of a layer is not offered, and no address leads to an error page', async () => {
  await open(`/r/${words}/q/100?layer=1`);
  assert.equal(await page.locator('#choice-Rank-by-logit').count(), 0);
  for (const [address, says] of [[`/r/${words}/q/100?layer=1&rank=logit`, 'not recorded'], [`/r/${bare}/q/100?rank=proponents`, 'no error signals'],
    [`/r/${bare}/q/100?remove=all`, 'remove is'], [`/r/${run}/suspects`, 'no labels'], [`/r/${run}/q/text?text=abc&place=9`, '3 tokens']]) {
    await page.goto(origin + address);
    await ready();
    assert.ok((await page.textContent('#notices')).includes(says), `${address}: ${await page.textContent('#notices')}`);
    assert.ok(await page.locator('.passage').count() > 0, address);
  }
  await open(`/r/${words}/q/100?rank=logit`);
  await choose(() => page.click('#choice-Layer-1'));
  assert.doesNotMatch(page.url(), /rank=/);
  await open(`/r/${run}/q/100?layer=1&rank=logit`);
  await choose(() => page.selectOption('#select-Run', words));
  assert.ok(await page.locator('.passage').count() > 0);
});

test('a long typed text keeps its beginning when it is written on', async () => {
  const text = 'the old dog sang of the sea. '.repeat(12);
  await page.goto(`${origin}/r/${run}/q/text?${new URLSearchParams({text})}`);
  await panelsReady();
  await choose(() => page.click('#go-on'));
  assert.ok((await page.inputValue('#typed')).startsWith(text));
  await page.click('#previous');
  await page.click('#previous');
  await page.waitForFunction((place) => location.search.includes(`place=${place}`), text.length - 3);
  await ready();
});

test('images and text take turns on one page', async () => {
  await open(`/r/${run}/q/${SAMPLE}`);
  await choose(() => page.selectOption('#select-Run', images));
  assert.equal(await page.textContent('#samples-title'), 'Samples');
  await page.waitForSelector('.thumb');
  assert.equal(await page.locator('.passage, .page, #typed').count(), 0);
  await panelsReady();
  await choose(() => page.selectOption('#select-Run', run));
  assert.equal(await page.locator('.thumb, .card, #wall .cells').count(), 0);
  assert.ok(await page.locator('.passage').count() > 0);
});

test('an address that cannot be falls back with a notice', async () => {
  for (const [query, says] of [['?class=99999', 'class is 0 to'], ['?pixels=abc', 'pixels'], ['?place=x', 'place is']]) {
    await page.goto(`${origin}/r/${run}/q/${SAMPLE}${query}`);
    await ready();
    assert.ok((await page.textContent('#notices')).includes(says), query);
  }
  await page.goto(`${origin}/r/${images}?text=abc`);
  await ready();
  assert.match(await page.textContent('#notices'), /for runs of text only/);
});

/** A job of the page, begun by its button and followed to its end. */
async function work(button, place) {
  await page.click(button);
  await page.waitForSelector(`${place}[data-job="done"]`);
}

test('who would be missed is estimated, walked back, and trained again for', async () => {
  await open(`/r/${run}/q/${nameOf(SAMPLE, run)}`);
  const {spotlight, passages} = await api(`/spotlight?sample=${SAMPLE}&rank=influence&by=sample&k=10`);
  const best = (spotlight ?? passages).flatMap(({places}) => places).filter(({score}) => score > 0).sort((a, b) => b.score - a.score).slice(0, 10);
  await page.locator('#missed').scrollIntoViewIfNeeded();
  await page.waitForSelector('#missed .place');
  const shown = await page.$$eval('#missed .place', (places) => places.map(({dataset}) => Number(dataset.sample)));
  assert.deepEqual(shown, best.map(({sample}) => sample));
  await choose(() => page.click('#choice-Missed-walk'));
  await page.locator('#missed').scrollIntoViewIfNeeded();
  await page.waitForSelector('#walk-button');
  await work('#walk-button', '.walked');
  const {answer} = await api(`/walk?sample=${nameOf(SAMPLE, run)}`), [{influence}] = answer.queries;
  await page.waitForSelector('.walked .place');
  assert.deepEqual(await page.$$eval('.walked .place', (places) => places.map(({dataset}) => Number(dataset.sample))),
    influence.slice(0, 10).map(({sample}) => sample.id));
  const {texts} = await api(`/reading?sample=${influence[0].sample.id}&count=1`);
  assert.equal(await page.textContent('.walked .place .at mark'), /^\s+$/.test(texts[0]) ? '␣' : texts[0].trim());
  await choose(() => page.click('#retrain-missed'));
  await page.waitForSelector('#retrained-job[data-job="done"]');
  const without = influence.slice(0, 10).map(({sample}) => `sample:${sample.id}`).join(',');
  const {answer: {before, after}} = await api(`/retrain?sample=${nameOf(SAMPLE, run)}&without=${without}`);
  const row = await page.$eval('#retrained .foretold .said .number', (cell) => Number(cell.dataset.value));
  assert.ok(Math.abs(row - (after.loss - before.loss)) < 1e-6, `${row}`);
  assert.match(await page.textContent('#retrained'), /walking back/);
  const again = await newPage();
  await again.goto(page.url()); // the link is the answer
  await again.waitForSelector('#retrained-job[data-job="done"]');
  await again.context().close();
});

test('what is typed is estimated, and says that only positions of the run are trained again for', async () => {
  await open(`/r/${run}/q/text?text=${encodeURIComponent('the old dog sat on ')}`);
  await page.waitForSelector('#missed .place');
  assert.match(await page.textContent('#missed'), /not for what is typed/);
  await open(`/r/${bare}/q/${SAMPLE}`);
  assert.equal(await page.textContent('#missed'), '');
});

test('how far the scores of a text foretell retraining is measured where they are chosen', async () => {
  await open(`/r/${run}/q/${SAMPLE}`);
  await page.click('#truth summary');
  await page.waitForSelector('#truth-button');
  assert.match(await page.textContent('#truth-job'), /20 trainings without a tenth of the training positions/);
});

test('nothing is wider than the screen, and axe finds no fault, in three sizes and two themes', async () => {
  for (const [width, height] of [[1440, 900], [1024, 768], [390, 844]])
    for (const colorScheme of ['dark', 'light']) {
      const context = await world.browser.newContext({viewport: {width, height}, colorScheme, bypassCSP: true});
      const own = await newPage(context);
      await own.goto(`${origin}/r/${run}/q/${SAMPLE}`);
      await panelsReady(own);
      assert.ok(await own.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${width} ${colorScheme}`);
      await own.evaluate(axeSource);
      const {violations} = await own.evaluate(() => globalThis.axe.run());
      assert.deepEqual(violations.map(({id, nodes}) => `${id}: ${nodes[0].html}`), [], `${width} ${colorScheme}`);
      await context.close();
    }
});

test('nothing went wrong on the console or on the server', () => assert.deepEqual(problems, []));

await runAll(() => {
  const text = ['--data', `book=${writeBook()}`, '--hidden', '16', '--embedding', '8', '--batch', '4', '--unroll', '10', '--steps', '80', '--lr', '1'];
  return [train('letters', '--tokens', 'characters', '--gate-errors', ...text),
    train('words', '--tokens', 'words', '--error-entries', '6', ...text),
    train('bare', '--tokens', 'characters', '--attention-only', ...text),
    train('strokes', '--data', 'strokes', '--hidden', '16', '--steps', '40')];
}, () => {
  ({origin, page, runs: [run, words, bare, images]} = world);
});
