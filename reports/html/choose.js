// Choosing: needs that a reader ticks, the loops that remain, and what removed each of the others.
const needText = need => {
  const [kind, ...rest] = need.split(':');
  const words = {cap: 'capability', area: 'area', api: 'API entry', fact: 'fact'};
  return {kind, name: rest.join(':'), label: `${words[kind] ?? kind} ${rest.join(':')}`};
};

/// What the scenarios say of a loop: null when they are kept, else the reason and its cells.
function judgeScenarios(list, column) {
  const at = data().columns.indexOf(column);
  const cells = list.flatMap(row => row.cells[at]);
  const red = cells.filter(queries.isRed);
  if (red.length) return {text: 'not kept', cells: red};
  const open = cells.filter(cell => !queries.judged(cell));
  if (open.length) return {text: 'not shown', cells: open};
  return cells.length ? null : {text: 'untested: no scenario', cells: []};
}

/// Why a need is not met by a loop on its platform; null when it is.
function missing(need, column) {
  const {kind, name} = needText(need);
  const {scenarios} = data();
  if (kind === 'cap') {
    if (column.native.has(name) || column.emulated.has(name)) return null;
    const cells = scenarios.filter(row => row.needs.includes(name))
      .flatMap(row => row.cells[data().columns.indexOf(column)])
      .filter(cell => cell.outcome === 'unsupported');
    return {text: 'the loop declares that it lacks it', cells: cells.slice(0, 1)};
  }
  if (kind === 'area') {
    return judgeScenarios(scenarios.filter(row => row.topic === name && row.level === 'must'),
                          column);
  }
  if (kind === 'api') return judgeScenarios(scenarios.filter(r => r.api.includes(name)), column);
  const answer = column.facts[name];
  if (answer === 1) return null;
  const why = answer === undefined ? 'not asked' : answer === 0 ? 'no' : `no answer, ${answer}`;
  return {text: `this platform says: ${why}`, cells: [], link: `f.${slug(name)}`};
}

const kFewCells = 4;
function reasonOf({need, text, cells, link}) {
  return h('li', {}, h('b', {}, needText(need).label), `: ${text} `,
    link ? h('a', {href: `#${link}`}, 'the fact') : null,
    cells.slice(0, kFewCells).map(cell =>
      [chip(cell, cell.anchor), ' ', h('a', {href: `#${cell.anchor}`},
                                       h('code', {}, cell.scenario.id)), ' ']),
    cells.length > kFewCells ? `and ${cells.length - kFewCells} more` : null);
}

function drawChoice() {
  const columns = data().columns.filter(column => !column.absent && !isOff(column));
  const judged = columns.map(column => ({column, reasons: [...state.need]
    .map(need => ({need, ...missing(need, column)})).filter(reason => reason.text)}));
  const remain = judged.filter(row => row.reasons.length === 0);
  const gone = judged.filter(row => row.reasons.length > 0);
  const absent = data().columns.filter(column => column.absent && !state.off.has(column.platform))
    .map(column => h('li', {}, h('b', {}, column.text), `: ${column.absent}`));
  $('#chosen').replaceChildren(
    h('p', {class: 'remain'}, h('b', {}, state.need.size === 0 ? 'Nothing ticked: all remain. ' :
      remain.length ? `${remain.length} of ${judged.length} remain: ` : 'No loop remains.'),
      remain.map(row => [h('code', {}, row.column.text), ' '])),
    ...(state.need.size ? [h('p', {}, [...state.need].map(need => {
      const button = h('button', {type: 'button', 'data-drop': need}, `${needText(need).label} \u00d7`);
      button.setAttribute('aria-label', `no longer need ${needText(need).label}`);
      return [button, ' '];
    }))] : []),
    ...(gone.length ? [h('h3', {class: 'sub'}, 'Removed, and by what'),
      h('dl', {class: 'gone'}, gone.map(row => h('div', {}, h('dt', {}, row.column.text),
        h('dd', {}, h('ul', {}, row.reasons.map(reasonOf))))))] : []),
    ...(absent.length ? [h('details', {class: 'more'},
      h('summary', {}, 'Absent, whatever is needed'), h('ul', {}, absent))] : []));
  for (const box of $$('#choose input[data-need]')) box.checked = state.need.has(box.dataset.need);
}

const needBox = (need, label) => h('label', {class: 'need'},
  h('input', {type: 'checkbox', 'data-need': need}), ' ', label);

/// Boxes for what has no row in the table: API entries, and facts of the platform.
const addBoxes = lazy(() => {
  for (const tr of $$('#choose tr[data-need]')) {
    const th = $('th', tr);
    th.replaceChildren(needBox(tr.dataset.need, th.textContent));
  }
  const {api, platforms, scenarios} = data();
  const named = new Set(scenarios.flatMap(row => row.api));
  const facts = [...new Set(platforms.flatMap(platform => Object.keys(platform.facts)))];
  const list = (title, boxes) => h('details', {class: 'more'},
    h('summary', {}, title), h('div', {class: 'boxes'}, boxes));
  $('#more-needs').replaceChildren(
    list('Entries of the API', api.flatMap(([, entries]) => entries)
      .filter(entry => named.has(entry)).map(entry => needBox(`api:${entry}`, h('code', {}, entry)))),
    list('Facts of the platform', facts.map(id => needBox(`fact:${id}`, h('code', {}, id)))));
  return true;
});

draw.choose = () => {
  addBoxes();
  drawChoice();
};
$('#choose').addEventListener('change', event => {
  const need = event.target.dataset.need;
  if (!need) return;
  if (event.target.checked) state.need.add(need);
  else state.need.delete(need);
  changed();
});
$('#choose').addEventListener('click', event => {
  const need = event.target.dataset.drop;
  if (!need) return;
  state.need.delete(need);
  changed();
  ($('#choose [data-drop]') ?? $('#choose input[data-need]')).focus();
});
