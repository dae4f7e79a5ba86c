// Measures the page of the largest report that it is made for: size, first paint, filters.
//   run measure.mjs RENDER [SCENARIOS]
// 450 scenarios x 12 loops x 6 platforms, every cell run. Durations are this machine's.
import {largestReport, launch, publish} from './browser.mjs';

const [render, scenarios = '450'] = process.argv.slice(2);
const kTimes = 5;
const median = list => [...list].sort((a, b) => a - b)[list.length >> 1];

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

/// Milliseconds from what a reader does to the picture that answers it; and how long the page's
/// thread was busy until it rested again, the rows that follow later included.
async function reaction(tab, cdp, act) {
  const busy = async () => (await cdp.send('Performance.getMetrics')).metrics
    .find(metric => metric.name === 'TaskDuration').value * 1000;
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
  return {waited, busy: await busy() - before};
}
const type = text => ({type: text});
const press = selector => ({press: selector});

try {
  for (const hash of ['', '#matrix']) {
    const times = [];
    for (let i = 0; i < kTimes; ++i) times.push(await firstPaint(hash));
    console.log(`${`first paint ${hash}`.padEnd(28)} ${median(times).toFixed(0)} ms`);
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
  const times = new Map(Object.keys(acts).map(name => [name, []]));
  for (let i = 0; i < kTimes; ++i) {
    for (const [name, act] of Object.entries(acts)) {
      times.get(name).push(await reaction(tab, cdp, act));
      await tab.waitForTimeout(400);
    }
  }
  for (const [name, list] of times) {
    const [waited, busy] = ['waited', 'busy'].map(key => median(list.map(one => one[key])));
    console.log(`${name.padEnd(28)} ${waited.toFixed(0)} ms, busy for ${busy.toFixed(0)} ms`);
  }
} finally {
  await browser.close();
}
