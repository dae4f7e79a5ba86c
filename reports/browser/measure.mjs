// Measures the page of the largest report that it is made for: size, first paint, filters.
//   run measure.mjs RENDER [SCENARIOS [TIMES]]
// 450 scenarios x 12 loops x 6 platforms, every cell run. Durations are this machine's: the clock
// includes what other programs took, the page's thread alone does not.
import {largestReport, launch, publish} from './browser.mjs';

const [render, scenarios = '450', times = '9'] = process.argv.slice(2);
const median = list => [...list].sort((a, b) => a - b)[list.length >> 1];
const worst = list => Math.max(...list).toFixed(0);

const {url, bytes} = publish(render, largestReport(scenarios), {withJson: false});
console.log(`size             ${(bytes / 1e6).toFixed(2)} MB`);
const browser = await launch();

/// Milliseconds from opening the page to its first picture.
async function firstPaint(hash) {
  const tab = await browser.newPage({viewport: {width: 1280, height: 900}});
  await tab.goto(url + hash);
  const at = await tab.evaluate(async () => {
    const seen = () => performance.getEntriesByName('first-contentful-paint')[0]?.startTime;
    while (!seen()) await new Promise(resolve => setTimeout(resolve, 10));
    return seen();
  });
  await tab.close();
  return at;
}

const kParts = {busy: 'TaskDuration', script: 'ScriptDuration', style: 'RecalcStyleDuration',
                layout: 'LayoutDuration'};

/// Milliseconds from what a reader does to the picture that answers it; and how long the page's
/// thread was busy until it rested again, and with what.
async function reaction(tab, cdp, act) {
  const busy = async () => {
    const {metrics} = await cdp.send('Performance.getMetrics');
    return Object.entries(kParts).map(([part, called]) =>
      [part, metrics.find(metric => metric.name === called).value * 1000]);
  };
  const before = await busy();
  const waited = await tab.evaluate(async ({type, press}) => {
    await new Promise(resolve => requestIdleCallback(resolve, {timeout: 5000}));
    const begun = performance.now();
    if (press) {
      document.querySelector(press).click();
    } else {
      const field = document.querySelector('#q');
      field.value = type;
      field.dispatchEvent(new Event('input', {bubbles: true}));
    }
    await new Promise(resolve => requestAnimationFrame(() => {
      const {port1, port2} = new MessageChannel();
      port1.onmessage = resolve;
      port2.postMessage(0);  // runs after the picture
    }));
    return performance.now() - begun;
  }, act);
  const after = await busy();
  return {waited, ...Object.fromEntries(after.map(([part, ms], at) =>
    [part, ms - before[at][1]]))};
}
const type = text => ({type: text});
const press = selector => ({press: selector});

try {
  for (const hash of ['', '#matrix']) {
    const list = [];
    for (let i = 0; i < +times; ++i) list.push(await firstPaint(hash));
    const name = `first paint ${hash}`.padEnd(28);
    console.log(`${name} ${median(list).toFixed(0)} ms, worst ${worst(list)} ms`);
  }
  const tab = await browser.newPage({viewport: {width: 1280, height: 900}});
  await tab.goto(url + '#matrix');
  await tab.waitForTimeout(1000);
  const cdp = await tab.context().newCDPSession(tab);
  await cdp.send('Performance.enable', {timeDomain: 'threadTicks'});
  const acts = {
    'query udp': type('udp'), 'no query': type(''), 'query *:fail': type('*:fail'),
    'query differs': type('differs'), 'all again': type(''),
    'platform off': press('#filters [data-platform]'),
    'platform on': press('#filters [data-platform]'),
    'loop off': press('#filters [data-loop=select]'),
    'loop on': press('#filters [data-loop=select]'),
  };
  const answers = new Map(Object.keys(acts).map(name => [name, []]));
  for (let i = 0; i < +times; ++i) {
    for (const [name, act] of Object.entries(acts)) {
      answers.get(name).push(await reaction(tab, cdp, act));
      await tab.waitForTimeout(400);
    }
  }
  for (const [name, list] of answers) {
    const waited = list.map(one => one.waited);
    const parts = Object.keys(kParts).map(part =>
      `${part} ${median(list.map(one => one[part])).toFixed(0)}`);
    console.log(`${name.padEnd(28)} ${median(waited).toFixed(0)} ms, worst ${worst(waited)} ms; ` +
      parts.join(', '));
  }
} finally {
  await browser.close();
}
