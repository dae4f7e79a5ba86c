// Takes a picture of a page as a reader sees it:
//   run picture.mjs PAGE.html[#anchor] PICTURE.png [WIDTH [HEIGHT [light|dark]]]
import path from 'node:path';
import {pathToFileURL} from 'node:url';
import {launch} from './browser.mjs';

const [page, picture, width = '1280', height = '960', colorScheme = 'light'] =
  process.argv.slice(2);
if (!picture) {
  console.error('usage: run picture.mjs PAGE.html[#anchor] PICTURE.png [WIDTH [HEIGHT [SCHEME]]]');
  process.exit(64);
}
const [file, ...anchor] = page.split('#');
const url = [pathToFileURL(path.resolve(file)).href, ...anchor].join('#');
const browser = await launch();
try {
  const tab = await browser.newPage({colorScheme, viewport: {width: +width, height: +height}});
  await tab.goto(url);
  await tab.screenshot({path: picture});
} finally {
  await browser.close();
}
