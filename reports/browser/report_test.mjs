// Opens reports in a real browser and uses them as a reader would.
//   run report_test.mjs RENDER [JOURNAL]
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import path from 'node:path';
import {after, before, describe, test} from 'node:test';
import {earlierRun, largestReport, launch, publish, require, threePlatforms}
  from './browser.mjs';
import {testdata} from './folders.mjs';

const axeSource = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const {HtmlValidate} = require('html-validate');
const [render, given] = process.argv.slice(2);
const beside = ['--baseline', earlierRun(), '--kills', path.join(testdata, 'kills.json')];
// One with every outcome; one of several platforms; one whose every string is an attack.
const reports = given ? [{name: path.basename(given), journals: given}] : [
  {name: 'golden', journals: path.join(testdata, 'golden.ndjson'), beside},
  {name: 'three platforms', journals: threePlatforms()},
  {name: 'hostile', journals: path.join(testdata, 'hostile.ndjson'), beside}];

let browser;
before(async () => { browser = await launch(); });
after(() => browser.close());

/// As the page makes fragments of names; as a reader sees text, blanks apart.
const slug = text => [...new TextEncoder().encode(text)].map(byte => {
  const sign = String.fromCharCode(byte);
  return /[A-Za-z0-9.-]/.test(sign) ? sign : `_${byte.toString(16).padStart(2, '0')}`;
}).join('');
const anchorIn = several => ({platform, loop, scenario, repeat}) =>
  `c.${several ? `${slug(platform)}.` : ''}${slug(loop)}.${slug(scenario)}` +
  (repeat ? `..${repeat}` : '');
const squeezed = text => (text ?? '').replace(/\\x[0-9a-f]{2}|\\u[0-9a-f]{4}|[\s\p{C}]/gu, '');

/// Runs `use` on a fresh tab with the page open; afterwards nothing may have been asked of the
/// network, no script may have failed or opened a dialog, and the page's policy refused nothing.
async function visit(url, options, use) {
  const context = await browser.newContext({viewport: {width: 1280, height: 900}, ...options});
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
    await tab.goto(url);
    await use(tab);
    assert.deepEqual(complaints, []);
  } finally {
    await context.close();
  }
}

const rows = '.matrix.main tr[data-scenario]';
const shown = tab => tab.$$eval(rows, all =>
  all.filter(tr => tr.offsetParent !== null).map(tr => tr.dataset.scenario));
const sorted = set => [...new Set(set)].sort();
const views = tab => tab.$$eval('main > section[id]', all => all.map(section => section.id));
const hash = tab => tab.evaluate(() => location.hash);
const judged = ['pass', 'diverges', 'fail', 'leak', 'hang', 'crash'];

/// Ticks a need; control characters of its name are visible in the page.
async function tick(tab, need) {
  const boxes = tab.locator('#choose input[data-need]');
  const needs = await boxes.evaluateAll(all => all.map(input => input.dataset.need));
  await boxes.nth(needs.findIndex(other => squeezed(other) === squeezed(need))).click();
}

/// Cells that are not below their heads, or begin their text elsewhere.
function columnsAside(table) {
  const seen = row => [...row.children].filter(cell => cell.offsetParent !== null);
  const heads = seen(table.tHead.rows[table.tHead.rows.length - 1]);
  const place = cell => {
    const {left, right} = cell.getBoundingClientRect(), style = getComputedStyle(cell);
    const centred = style.textAlign === 'center';
    return [left, right, centred ? 'centred' : left + parseFloat(style.paddingLeft)];
  };
  const near = (a, b) => a === b || Math.abs(a - b) < 1;
  const aside = [];
  for (const row of table.querySelectorAll('tr[data-scenario]')) {
    const cells = seen(row);
    if (cells.length !== heads.length) aside.push(`${row.dataset.scenario}: ${cells.length}`);
    cells.forEach((cell, at) => {
      const [mine, head] = [cell, heads[at]].map(place);
      if (!mine.every((value, i) => near(value, head[i]))) aside.push(`${cell.outerHTML}: ${mine}`);
    });
  }
  return aside.slice(0, 5);
}

/// Waits until the rows that a filter left are all there: the later ones follow a picture later.
async function settled(tab, wanted) {
  await tab.waitForFunction(([selector, count]) => [...document.querySelectorAll(selector)]
    .filter(tr => tr.offsetParent !== null).length === count, [rows, wanted.length]);
  assert.deepEqual(sorted(await shown(tab)), sorted(wanted));
}

for (const {name, journals, beside: more} of reports) {
  describe(name, {concurrency: 2}, () => {
    const {url, html, report} = publish(render, journals, {beside: more});
    const several = report.legs.length > 1;
    const anchor = anchorIn(several);
    const called = ({loop, platform}) => several ? `${loop} on ${platform}` : loop;
    const scenarios = sorted(report.cells.map(cell => cell.scenario));
    const having = wanted => sorted(report.cells.filter(wanted).map(cell => cell.scenario));
    const everyLoop = report.legs.flatMap(({platform, loops}) =>
      loops.map(loop => ({...loop, platform, loop: loop.name})));
    const loops = everyLoop.filter(loop => !loop.absent_because);

    test('the page is valid HTML', async () => {
      const {results} = await new HtmlValidate({root: true, extends: ['html-validate:standard']})
        .validateString(html);
      assert.deepEqual(results.flatMap(file => file.messages)
        .map(m => `${m.line}:${m.column} ${m.ruleId}: ${m.message}`).slice(0, 10), []);
    });

    // Axe is slow; colours and widths are told apart by two of the five.
    for (const [width, colorScheme, withAxe] of [
      [1280, 'light', true], [1280, 'dark', false], [390, 'light', false], [390, 'dark', true],
      [2560, 'light', false]]) {
      test(`every view at ${width} px, ${colorScheme}: nothing sticks out, axe is content`, () =>
        visit(url, {colorScheme, viewport: {width, height: 900}}, async tab => {
          await tab.evaluate(axeSource);
          for (const view of await views(tab)) {
            await tab.evaluate(to => { location.hash = to; }, view);
            await tab.waitForSelector(`#${view}.on`);
            assert.ok(await tab.evaluate(() => document.documentElement.scrollWidth) <= width,
                      `${view} is too wide`);
            // Whatever sticks out must do so inside a container of its own that scrolls.
            assert.deepEqual(await tab.$$eval('main *', (all, limit) => all.filter(e =>
              !e.closest('.scroll, pre, fieldset') && e.offsetParent &&
              e.getBoundingClientRect().right > limit + 1)
              .map(e => e.outerHTML.slice(0, 120)).slice(0, 3), width), [], view);
            if (!withAxe) continue;
            const {violations} = await tab.evaluate(() =>
              axe.run({resultTypes: ['violations']}));
            assert.deepEqual(violations.map(v => `${v.id}: ${v.nodes[0].html}`), [], view);
          }
        }));
    }

    for (const width of [2560, 1280, 390]) {
      test(`at ${width} px the head of a column stands over its cells`, () =>
        visit(`${url}#matrix`, {viewport: {width, height: 900}}, async tab => {
          await settled(tab, scenarios);
          assert.deepEqual(await tab.$eval('.matrix.main', columnsAside), []);
        }));
    }

    test('the first view is what needs attention', () => visit(url, {}, async tab => {
      const on = await tab.$$eval('main > section.on', all => all.map(section => section.id));
      assert.deepEqual(on, ['attention']);
      const items = await tab.locator('#attention .cause li').count();
      assert.equal(items, report.cells.filter(cell => cell.attention).length);
    }));

    test('every row, every cell a word', () => visit(url + '#matrix', {}, async tab => {
      await settled(tab, scenarios);
      const count = {};
      for (const cell of report.cells) count[cell.outcome] = (count[cell.outcome] ?? 0) + 1;
      const seen = {};
      for (const word of await tab.$$eval(`${rows} td:not(.promise)`, all =>
        all.map(td => td.textContent))) seen[word] = (seen[word] ?? 0) + 1;
      delete seen[''];
      assert.deepEqual(seen, count);
    }));

    test('a query filters rows, lives in the address and comes back with it', async () => {
      const word = scenarios[0].split('.')[0];
      const want = scenarios.filter(id => id.includes(word));
      let address;
      await visit(url + '#matrix', {}, async tab => {
        await tab.fill('#q', word);
        await settled(tab, want);
        address = await hash(tab);
        assert.match(address, new RegExp(`^#matrix&q=${word}$`));
        assert.equal(await tab.textContent('#q-says'),
                     `${want.length} of ${scenarios.length} scenarios`);
        await tab.fill('#q', 'epoll:fial');
        assert.match(await tab.textContent('#q-says'), /unknown (outcome "fial"|loop "epoll")/);
        await tab.click('#filters [type=reset]');
        await settled(tab, scenarios);
      });
      await visit(url + address, {}, tab => settled(tab, want));
    });

    test('buttons ask for outcomes, differences, attention', () =>
      visit(url + '#matrix', {}, async tab => {
        for (const outcome of ['fail', 'skip']) {
          const want = having(cell => cell.outcome === outcome);
          if (want.length === 0) continue;
          await tab.click(`#filters [data-outcome=${outcome}]`);
          assert.equal(await tab.inputValue('#q'), `*:${outcome}`);
          await settled(tab, want);
          await tab.click(`#filters [data-outcome=${outcome}]`);
        }
        await tab.click('#filters [data-term=attention]');
        await settled(tab, having(cell => cell.attention));
        await tab.click('#filters [data-term=attention]');
        const did = new Map();
        for (const cell of report.cells) {
          if (!judged.includes(cell.outcome) || cell.repeat) continue;
          const behaviour = `${cell.outcome} ${cell.variant}`;
          did.set(cell.scenario, (did.get(cell.scenario) ?? new Set()).add(behaviour));
        }
        await tab.click('#filters [data-term=differs]');
        await settled(tab, having(cell => did.get(cell.scenario)?.size > 1));
        await tab.click('#filters [data-term=differs]');
        const references = new Map(report.legs.map(leg => [leg.platform, leg.reference]));
        const open = cell => judged.includes(cell.outcome) && cell.outcome !== 'pass';
        const shared = having(cell => open(cell) && report.cells.some(other =>
          other.loop === references.get(cell.platform) && other.loop !== cell.loop &&
          other.platform === cell.platform && other.scenario === cell.scenario && open(other)));
        await tab.click('#filters [data-term=shared]');
        assert.equal(await tab.inputValue('#q'), 'shared');
        await settled(tab, shared);
      }));

    test('a loop can be put away, absent ones be shown', () =>
      visit(url + '#matrix', {}, async tab => {
        const head = name =>
          tab.locator(`.matrix.main thead th[data-loop=${JSON.stringify(name)}]`).first();
        const loop = loops[0].name;
        assert.ok(await head(loop).isVisible());
        await tab.click(`#filters [data-loop=${JSON.stringify(loop)}]`);
        assert.ok(!await head(loop).isVisible());
        const absent = everyLoop.find(row => row.absent_because);
        if (!absent) return;
        await tab.click('#matrix details.more summary');
        assert.ok(!await head(absent.name).isVisible());
        await tab.click('#absent');
        assert.ok(await head(absent.name).isVisible());
      }));

    test('a cell leads to its evidence, and the evidence is that of the journal', () =>
      visit(url + '#matrix', {}, async tab => {
        for (const outcome of ['pass', 'fail', 'crash', 'skip']) {
          const td = tab.locator(`${rows} td.${outcome}`).first();
          if (await td.count() === 0) continue;
          await tab.evaluate(() => { location.hash = 'matrix'; });
          await td.click();
          const at = decodeURIComponent((await hash(tab)).slice(1));
          const want = report.cells.find(cell => anchor(cell) === at);
          const panel = await tab.innerText('.panel');
          assert.ok(want, at);
          assert.equal(want.outcome, outcome);
          for (const text of [want.reason, want.expected, want.observed, want.rerun]) {
            assert.ok(squeezed(panel).includes(squeezed(text)), `${at} says ${text}`);
          }
          for (const proof of want.backend?.proof ?? []) {
            assert.ok(squeezed(panel).includes(squeezed(proof.value)), `${at}: ${proof.value}`);
          }
          for (const event of want.trace ?? []) {
            assert.ok(squeezed(panel).includes(squeezed(event.what)), `${at}: ${event.what}`);
          }
          assert.ok(await tab.evaluate(() => document.activeElement.closest('.panel') !== null));
        }
      }));

    test('keys lead from one unexpected cell to the next', () => visit(url, {}, async tab => {
      const want = report.cells.filter(cell => cell.attention).length;
      const walked = [];
      await tab.keyboard.press('n');
      for (let i = 0; i < Math.min(want, 20); ++i) {
        walked.push(await tab.getAttribute('.panel', 'data-at'));
        await tab.keyboard.press('n');
      }
      assert.equal(new Set(walked).size, Math.min(want, 20));
      await tab.keyboard.press('p');
      await tab.keyboard.press('/');
      assert.equal(await tab.evaluate(() => document.activeElement.id), 'q');
      await tab.keyboard.type('n');
      assert.equal(await tab.inputValue('#q'), 'n');
      await tab.keyboard.press('Escape');
      await tab.keyboard.press('?');
      await tab.waitForSelector('#legend.on');
      await tab.click('#keys-on');
      await tab.evaluate(() => document.activeElement.blur());
      await tab.keyboard.press('m');
      await tab.waitForSelector('#legend.on');
    }));

    test('arrows walk the matrix, Enter opens a cell, back comes back', () =>
      visit(url + '#matrix', {}, async tab => {
        await settled(tab, scenarios);
        await tab.focus('.matrix.main td[tabindex="0"]');
        for (const key of ['ArrowDown', 'ArrowRight', 'ArrowRight', 'ArrowLeft', 'End', 'Home']) {
          await tab.keyboard.press(key);
        }
        const at = await tab.evaluate(() => document.activeElement.parentElement.dataset.scenario);
        assert.equal(at, (await shown(tab))[1]);
        await tab.keyboard.press('Enter');
        await tab.waitForSelector('#cells.on .panel');
        await tab.goBack();
        await tab.waitForSelector('#matrix.on');
      }));

    test('needs that are ticked leave the loops that have them', () =>
      visit(url + '#choose', {}, async tab => {
        const remain = () => tab.$$eval('.remain code', all => all.map(code => code.textContent));
        assert.deepEqual(await remain(), loops.map(called));
        const has = (loop, cap) => loop.native.includes(cap) || loop.emulated.includes(cap);
        const cap = report.catalogue.capabilities.map(row => row.id).find(id =>
          loops.some(loop => has(loop, id)) && loops.some(loop => !has(loop, id)));
        if (cap) {
          await tick(tab, `cap:${cap}`);
          assert.deepEqual(await remain(),
                           loops.filter(loop => has(loop, cap)).map(called));
          assert.match(await hash(tab), /need=/);
          assert.equal(await tab.locator('.gone > div').count(),
                       loops.filter(loop => !has(loop, cap)).length);
          await tab.click('[data-drop]');
        }
        const red = report.cells.find(cell => cell.outcome === 'fail' && cell.level === 'must');
        const row = report.catalogue.scenarios.find(({id}) => id === red?.scenario);
        if (!row || row.level !== 'must') return;
        await tick(tab, `area:${row.topic}`);
        assert.ok(!(await remain()).includes(called(red)));
        const gone = tab.locator('.gone > div',
                                 {has: tab.locator('dt', {hasText: called(red)})});
        await gone.first().locator('a.k').first().click();
        await tab.waitForSelector('#cells.on .panel');
      }));

    test('differences: a row for each scenario in which loops do not do the same', () =>
      visit(url + '#divergence', {}, async tab => {
        const rows = await tab.$$eval('.differs tbody th a', all =>
          all.map(a => decodeURIComponent(a.hash.slice(1))));
        const did = new Map();
        for (const cell of report.cells) {
          if (!judged.includes(cell.outcome)) continue;
          const key = `${cell.outcome} ${cell.variant}`;
          did.set(cell.scenario, (did.get(cell.scenario) ?? new Set()).add(key));
        }
        const least = [...did].filter(([, keys]) => keys.size > 1).map(([id]) => `s.${slug(id)}`);
        assert.deepEqual(least.filter(id => !rows.includes(id)), []);
        assert.equal(new Set(rows).size, rows.length);
      }));

    test('links lead somewhere, ids are unique', () => visit(url, {}, async tab => {
      const {dead, twice} = await tab.evaluate(() => {
        const ids = [...document.querySelectorAll('[id]')].map(e => e.id);
        const known = new Set(ids);
        return {dead: [...document.querySelectorAll('a[href^="#"]')]
          .map(a => decodeURIComponent(a.getAttribute('href').slice(1)))
          .filter(id => !known.has(id)).slice(0, 5),
                twice: ids.length - known.size};
      });
      assert.deepEqual(dead, []);
      assert.equal(twice, 0);
    }));

    test('the first stop of the keyboard is the visible skip link', () =>
      visit(url, {}, async tab => {
        await tab.keyboard.press('Tab');
        assert.ok(await tab.evaluate(() => document.activeElement.className === 'jump' &&
          document.activeElement.getBoundingClientRect().left >= 0));
      }));

    test('without scripts every view is there to be read, without controls', () =>
      visit(url, {javaScriptEnabled: false}, async tab => {
        assert.equal(await tab.locator(rows + ' >> visible=true').count(), scenarios.length);
        assert.ok(!await tab.isVisible('#filters'));
        for (const view of await views(tab)) assert.ok(await tab.isVisible(`#${view} h2`), view);
        for (const cell of report.cells.filter(one => one.attention)) {
          const id = anchor(cell);
          const line = squeezed(await tab.textContent(`[id=${JSON.stringify(id)}]`));
          for (const text of [cell.expected, cell.observed, cell.rerun]) {
            assert.ok(line.includes(squeezed(text)), `${id} says ${text}`);
          }
        }
      }));

    test('on paper the whole view is there and nothing to click', () =>
      visit(url + '#matrix', {}, async tab => {
        await settled(tab, scenarios);
        await tab.emulateMedia({media: 'print'});
        assert.ok(!await tab.isVisible('.bar'));
        assert.ok(!await tab.isVisible('#filters'));
        assert.equal(await tab.$eval('.grid', grid => getComputedStyle(grid).overflowY), 'visible');
        assert.ok((await tab.pdf({format: 'A4'})).length > 10000);
      }));
  });
}

// What a person does who has never seen the page, and wants to know which loops deliver UDP on
// Windows, and why one of them does not.
describe('UDP on Windows', () => {
  const {url} = publish(render, threePlatforms());
  const why = /WSAPoll does not report datagram sockets as readable/;

  test('by the matrix: six clicks and a word', () => visit(url, {}, async tab => {
    await tab.click('text=Matrix');
    await tab.fill('#q', 'udp');
    await tab.click('#filters button:text("linux-x86_64")');
    await tab.click('#filters button:text("macos-arm64")');
    const heads = tab.locator('.matrix.main thead th[data-loop] >> visible=true');
    assert.deepEqual(await heads.allTextContents(), ['select', 'wsapoll', 'iocp', 'libuv']);
    const row = tab.locator(`${rows} >> visible=true`).first();
    const cells = row.locator('td:not(.promise) >> visible=true');
    assert.deepEqual(await cells.allTextContents(), ['pass', 'fail', 'pass', 'pass']);
    await cells.nth(1).click();
    assert.match(await tab.innerText('.panel'), why);
    assert.match(await tab.innerText('.panel'), /Expected[^]*received: ping[^]*POLLNVAL/);
  }));

  test('by choosing: a tick', () => visit(url, {}, async tab => {
    await tab.click('text=Choose');
    await tab.getByLabel('UDP', {exact: true}).check();
    const remain = await tab.locator('.remain code').allTextContents();
    assert.deepEqual(remain.filter(loop => loop.includes('windows')),
                     ['select', 'iocp', 'libuv'].map(loop => `${loop} on windows-x86_64`));
    const gone = tab.locator('.gone > div', {hasText: 'wsapoll on windows-x86_64'});
    await gone.locator('a.k').first().click();
    assert.match(await tab.innerText('.panel'), why);
  }));

  test('a query with a platform', () => visit(`${url}#matrix&q=wsapoll@windows*:fail`, {},
    async tab => {
      const ids = await shown(tab);
      assert.ok(ids.length > 10);
      assert.ok(ids.every(id => id.startsWith('udp.')));
    }));

  test('facts: what differs between machines is marked and can be had alone', () =>
    visit(`${url}#facts`, {}, async tab => {
      assert.ok(await tab.isVisible('[id="f.select.fd_5fsetsize"].odd'));
      assert.ok(!await tab.locator('[id="f.wait.poll.granularity"].odd').count());
      await tab.click('#facts-differ');
      assert.ok(!await tab.isVisible('[id="f.wait.poll.granularity"]'));
      assert.ok(await tab.isVisible('[id="f.select.fd_5fsetsize"]'));
      assert.equal(await tab.locator('.curve .series').count(), 3);
    }));
});

describe('a report with a baseline and a kill matrix', () => {
  const {url} = publish(render, path.join(testdata, 'golden.ndjson'), {beside});

  test('changes: the machine first, then what regressed, with the way to its evidence', () =>
    visit(`${url}#diff`, {}, async tab => {
      const tables = await tab.$$eval('#diff h3', all => all.map(head => head.textContent));
      assert.deepEqual(tables, ['host-changed 1', 'regressed 1']);
      assert.match(await tab.innerText('#diff'), /kernel\s+6\.1\.0\s+6\.18\.44/);
      await tab.click('#diff a');
      assert.match(await tab.innerText('#evidence'), /sched\.soon\.fifo/);
    }));

  test('kill matrix: who caught whom', () => visit(`${url}#kills`, {}, async tab => {
    const row = tab.locator('#kills tbody tr', {hasText: 'faulty.lifo_soon'});
    assert.match(await row.innerText(), /newest first[^]*fail[^]*sched\.soon\.fifo/);
    assert.match(await tab.innerText('#kills'), /not as it must be/);
    await row.locator('a').first().click();
    assert.match(await tab.innerText('#evidence'), /sched\.soon\.fifo/);
  }));

  test('without them there is no such view', () =>
    visit(publish(render, threePlatforms(), {withJson: false}).url, {}, async tab => {
      assert.equal(await tab.locator('#diff, #kills').count(), 0);
    }));
});

test('the largest report: 450 scenarios on 12 loops of 6 platforms are below 5 MB', async () => {
  const {url, bytes} = publish(render, largestReport('450'), {withJson: false});
  assert.ok(bytes < 5e6, `${bytes} bytes`);
  await visit(`${url}#matrix`, {}, async tab => {
    assert.equal(await tab.locator(`${rows} td:not(.promise)`).count(), 450 * 12 * 6);
    await tab.fill('#q', 'udp.zero');
    await tab.waitForFunction(() => document.querySelector('#q-says').textContent[0] !== '4');
    const ids = await shown(tab);
    assert.ok(ids.length > 0 && ids.every(id => id.includes('udp.zero')));
  });
});
