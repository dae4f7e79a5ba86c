// The browser that the tests and the pictures use, and how a report gets in front of it.
import {execFileSync} from 'node:child_process';
import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {pathToFileURL} from 'node:url';

import {testdata} from './folders.mjs';

export const require = createRequire(path.resolve(process.env.LOOPSCOPE_NODE_MODULES) + path.sep);

const {chromium} = require('playwright-core');

/// $LOOPSCOPE_BROWSER, or the first of the usual names that is installed.
function findBrowser() {
  const names = [process.env.LOOPSCOPE_BROWSER, 'chromium', 'chromium-browser', 'google-chrome'];
  for (const name of names.filter(Boolean)) {
    try {
      return execFileSync('/bin/sh', ['-c', 'command -v -- "$0"', name], {encoding: 'utf8'}).trim();
    } catch {
      // The next name.
    }
  }
  throw new Error('no browser; install chromium or set LOOPSCOPE_BROWSER=none');
}

export const launch = () => chromium.launch({
  executablePath: findBrowser(),
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
         '--disable-background-networking', '--disable-component-update', '--disable-sync',
         '--disable-dev-shm-usage'],
});

const work = mkdtempSync(path.join(tmpdir(), 'loopscope-pages-'));
process.on('exit', () => rmSync(work, {recursive: true, force: true}));

const big = {maxBuffer: 1 << 30};
export const makeJournal = (...kind) => {
  const file = path.join(work, `${kind.join('-')}.ndjson`);
  const maker = path.join(testdata, 'make_journal.py');
  writeFileSync(file, execFileSync('python3', [maker, ...kind], big));
  return file;
};
const rendered = (render, format, journals) => execFileSync(render, [format, ...journals], big);

const kPlatforms = ['linux-x86_64', 'linux-arm64', 'macos-arm64', 'freebsd-x86_64',
                    'windows-x86_64', 'windows-arm64'];
/// The journals of the largest report that the page is made for: N x 12 loops x 6 platforms.
export const largestReport = scenarios =>
  kPlatforms.map(platform => makeJournal('crowded', platform, scenarios));
/// A report of three platforms; on Windows one loop does not deliver datagrams.
export const threePlatforms = () => ['linux-x86_64', 'macos-arm64', 'windows-x86_64']
  .map(platform => makeJournal('leg', platform));

/// The golden run as it may have been before: another kernel, a failure that has come since.
export function earlierRun() {
  const file = path.join(work, 'earlier.ndjson');
  const lines = readFileSync(path.join(testdata, 'golden.ndjson'), 'utf8')
    .replace('"kernel":"6.18.44"', '"kernel":"6.1.0"')
    .replace(/("loop":"poll","scenario":"sched.soon.fifo","repeat":0,"seed":1,"outcome":)"fail"/,
             '$1"pass"');
  writeFileSync(file, lines);
  return file;
}

/// A journal, or several as one report, as a page: its address, its text, and what report.json
/// says of the same. `beside` are further words for the tool.
export function publish(render, journals, {withJson = true, beside = []} = {}) {
  const list = [journals].flat();
  const file = path.join(work, path.basename(list[0], '.ndjson') + '.html');
  const html = rendered(render, 'html', [...beside, ...list]);
  writeFileSync(file, html);
  return {url: pathToFileURL(file).href, html: html.toString(), bytes: html.length,
          report: withJson ? JSON.parse(rendered(render, 'json', list)) : null};
}
