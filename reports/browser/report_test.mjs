// Opens reports in a real browser and uses them as a reader would.
//   run report_test.mjs RENDER [JOURNAL]
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import path from 'node:path';
import {after, before, describe, test} from 'node:test';
import {launch, makeJournal, publish, require, testdata} from './browser.mjs';

const axeSource = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const {HtmlValidate} = require('html-validate');
const [render, given] = process.argv.slice(2);
const journals = given ? [given] : [
  makeJournal('big'), path.join(testdata, 'golden.ndjson'), path.join(testdata, 'hostile.ndjson')];

let browser;
before(async () => { browser = await launch(); });
after(() => browser.close());

/// Runs `use` on a fresh tab with the page open; afterwards nothing may have been asked of the
/// network, no script may have failed or opened a dialog, and the page's policy refused nothing.
async function visit(url, options, use) {
  const {hash = '', ...rest} = options;
  const context = await browser.newContext({viewport: {width: 1280, height: 900}, ...rest});
  const tab = await context.newPage();
  const complaints = [];
  tab.on('pageerror', error => complaints.push(`exception: ${error}`));
  tab.on('console', message => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  tab.on('dialog', dialog => { complaints.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  tab.on('request', request => {
    if (!/^(file|about|data):/.test(request.url())) complaints.push(`request: ${request.url()}`);
  });
  try {
    await tab.goto(url + hash);
    await use(tab);
    assert.deepEqual(complaints, []);
  } finally {
    await context.close();
  }
}

const rows = '.matrix:not(.api) tr[data-scenario]';
const shown = tab => tab.$$eval(rows, all =>
  all.filter(tr => tr.offsetParent !== null).map(tr => tr.dataset.scenario));
const sorted = set => [...new Set(set)].sort();

for (const journal of journals) {
  describe(path.basename(journal), () => {
    const {url, html, report} = publish(render, journal);
    const scenarios = sorted(report.cells.map(cell => cell.scenario));
    const having = wanted => sorted(report.cells.filter(wanted).map(cell => cell.scenario));

    for (const width of [1280, 390]) {
      for (const colorScheme of ['light', 'dark']) {
        test(`nothing sticks out at ${width} px, ${colorScheme}`, () =>
          visit(url, {colorScheme, viewport: {width, height: 900}}, async tab => {
            assert.ok(await tab.evaluate(() => document.documentElement.scrollWidth) <= width);
            // Whatever sticks out must do so inside a container of its own that scrolls.
            assert.deepEqual(await tab.$$eval('main *', (all, limit) => all.filter(e =>
              !e.closest('.scroll, pre') && e.offsetParent &&
              e.getBoundingClientRect().right > limit + 1)
              .map(e => e.outerHTML.slice(0, 120)).slice(0, 3), width), []);
          }));
      }
    }

    test('the page is valid HTML', async () => {
      const {results} = await new HtmlValidate({root: true, extends: ['html-validate:standard']})
        .validateString(html);
      assert.deepEqual(results.flatMap(file => file.messages)
        .map(m => `${m.line}:${m.column} ${m.ruleId}: ${m.message}`).slice(0, 10), []);
    });

    test('every scenario has a row', () => visit(url, {}, async tab => {
      assert.deepEqual(sorted(await shown(tab)), scenarios);
    }));

    test('text filters rows, lives in the hash and comes back with it', async () => {
      const word = scenarios[0].split('.')[0];
      let seen, hash;
      await visit(url, {}, async tab => {
        await tab.fill('#q', word);
        seen = await shown(tab);
        assert.ok(seen.length > 0 && seen.length < scenarios.length);
        hash = await tab.evaluate(() => location.hash);
        assert.match(hash, new RegExp(`q=${word}`));
        await tab.click('#filters [type=reset]');
        assert.equal((await shown(tab)).length, scenarios.length);
      });
      await visit(url, {hash}, async tab => assert.deepEqual(await shown(tab), seen));
    });

    test('outcomes, differences and attention filter rows', () => visit(url, {}, async tab => {
      for (const outcome of ['fail', 'skip']) {
        const want = having(cell => cell.outcome === outcome);
        if (want.length === 0) continue;
        await tab.click(`[data-filter-outcome=${outcome}]`);
        assert.deepEqual(sorted(await shown(tab)), want);
        await tab.click(`[data-filter-outcome=${outcome}]`);
      }
      await tab.click('#look');
      assert.deepEqual(sorted(await shown(tab)), having(cell => cell.attention));
      await tab.click('#look');
      const ran = new Map();
      for (const cell of report.cells) {
        if (!['pass', 'diverges', 'fail', 'leak', 'hang', 'crash'].includes(cell.outcome)) continue;
        ran.set(cell.scenario, (ran.get(cell.scenario) ?? new Set()).add(cell.outcome));
      }
      await tab.click('#diff');
      assert.deepEqual(sorted(await shown(tab)), having(cell => ran.get(cell.scenario)?.size > 1));
    }));

    test('a loop can be hidden', () => visit(url, {}, async tab => {
      const loop = JSON.stringify(report.cells[0].loop);
      const column = tab.locator(`.matrix:not(.api) thead th[data-loop=${loop}]`);
      assert.ok(await column.isVisible());
      await tab.click(`[data-filter-loop=${loop}]`);
      assert.ok(!await column.isVisible());
    }));

    test('links lead somewhere, a cell leads to its evidence', () => visit(url, {}, async tab => {
      const {dead, twice} = await tab.evaluate(() => {
        const ids = [...document.querySelectorAll('[id]')].map(e => e.id);
        const targets = [...document.querySelectorAll('a[href^="#"]')]
          .map(a => decodeURIComponent(a.getAttribute('href').slice(1)));
        return {dead: targets.filter(id => !ids.includes(id)).slice(0, 5),
                twice: ids.filter((id, at) => ids.indexOf(id) !== at).slice(0, 5)};
      });
      assert.deepEqual(dead, []);
      assert.deepEqual(twice, []);
      await tab.click('.matrix:not(.api) td a.k');
      assert.ok(await tab.isVisible('.at'));
      assert.notEqual(await tab.evaluate(() => document.activeElement.id), '');
    }));

    test('the first stop of the keyboard is the visible skip link', () =>
      visit(url, {}, async tab => {
        await tab.keyboard.press('Tab');
        assert.ok(await tab.evaluate(() => document.activeElement.className === 'jump' &&
          document.activeElement.getBoundingClientRect().left >= 0));
      }));

    test('without scripts the rows are there and the filters are not', () =>
      visit(url, {javaScriptEnabled: false}, async tab => {
        assert.equal(await tab.locator(rows + ' >> visible=true').count(), scenarios.length);
        assert.ok(!await tab.isVisible('#filters'));
      }));

    for (const colorScheme of ['light', 'dark']) {
      test(`axe finds nothing, ${colorScheme}`, () => visit(url, {colorScheme}, async tab => {
        await tab.evaluate(axeSource);
        const {violations} = await tab.evaluate(() => axe.run());
        assert.deepEqual(violations.map(v => `${v.id}: ${v.nodes[0].html}`), []);
      }));
    }
  });
}
