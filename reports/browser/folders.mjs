// Where the tests of the page find what they read.
import path from 'node:path';
import {fileURLToPath} from 'node:url';

export const here = path.dirname(fileURLToPath(import.meta.url));
export const testdata = path.join(here, '..', 'testdata');
