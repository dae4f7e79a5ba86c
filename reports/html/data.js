// What the page knows of every cell: a template, which many cells share, filled with numbers.
const lazy = make => {
  let value;
  return () => value ??= make();
};

const data = lazy(() => {
  const all = JSON.parse($('#data').textContent);
  const named = list => list.map(at => all.names[at]);
  for (const column of all.columns) {
    column.facts = all.platforms[column.platform].facts;
    column.platform = all.platforms[column.platform].name;
    column.text = all.platforms.length > 1 ? `${column.loop} on ${column.platform}` : column.loop;
    column.native = new Set(named(column.native));
    column.emulated = new Set(named(column.emulated));
  }
  for (const row of all.scenarios) {
    for (const list of ['needs', 'api', 'facts']) row[list] = named(row[list]);
    row.cells = all.columns.map(() => []);  // by column; more than one where it was repeated
  }
  all.cells = all.cells.map(row => new Cell(all, row));
  for (const cell of all.cells) cell.scenario.cells[cell.at.column].push(cell);
  all.scenarioOf = new Map(all.scenarios.map(row => [row.id, row]));
  return all;
});

class Cell {
  constructor(all, [scenario, column, template, ...numbers]) {
    this.at = {scenario, column};
    this.scenario = all.scenarios[scenario];
    this.column = all.columns[column];
    this.loop = this.column.loop;
    this.platform = this.column.platform;
    this.parts = all.templates[template].map(part => all.parts[part]);
    this.numbers = numbers;
    // What filters ask for is in the template itself, but for the rare text with a number in it.
    const core = this.parts[0];
    const plain = !core.repeat && !/[\x7f\x01\x02]/.test(core.variant ?? '');
    const {outcome, variant = '', repeat = 0, attention = false, relation} =
      plain ? core : this.core();
    const shared = relation === 'also_reference';
    Object.assign(this, {outcome, variant, repeat, attention, shared});
  }

  fill(shape, next) {
    if (typeof shape === 'string') {
      return shape.replace(/[\x7f\x01\x02]/g, sign =>
        sign === '\x7f' ? next() : sign === '\x01' ? this.loop : this.scenario.id);
    }
    if (Array.isArray(shape)) return shape.map(item => this.fill(item, next));
    if (shape === null || typeof shape !== 'object') return shape;
    const entries = Object.entries(shape);
    if (entries.length === 0) return next();
    return Object.fromEntries(entries.map(([key, item]) => [key, this.fill(item, next)]));
  }
  core() {
    let used = 0;
    return this.fill(this.parts[0], () => this.numbers[used++]);
  }
  /// Everything that the journal says of it, long traces and outputs cut.
  detail() {
    let used = 0;
    const [core, backend, trace, numbers, remains] =
      this.fill(this.parts, () => this.numbers[used++]);
    const ran = numbers.length > 0 && !numbers.some(([key]) => key === 'limit');
    if (ran && this.scenario.limit) numbers.splice(1, 0, ['limit', this.scenario.limit, 'ns']);
    return {...core, backend, numbers, ...remains,
            trace: trace.events ?? trace, dropped: trace.dropped ?? 0};
  }

  get emulated() { return this.scenario.needs.some(need => this.column.emulated.has(need)); }
  get anchor() {
    const words = data().platforms.length > 1 ? [this.platform, this.loop] : [this.loop];
    return `c.${words.map(slug).join('.')}.${slug(this.scenario.id)}${this.repeat ? `..${this.repeat}` : ''}`;
  }
  get loopText() { return this.column.text; }
}

/// As the page's writer makes fragments of names.
const slug = text => [...new TextEncoder().encode(text)].map(byte => {
  const sign = String.fromCharCode(byte);
  return /[A-Za-z0-9.-]/.test(sign) ? sign : `_${byte.toString(16).padStart(2, '0')}`;
}).join('');

const cellByAnchor = lazy(() => new Map(data().cells.map(cell => [cell.anchor, cell])));
const unexpected = lazy(() => data().cells.filter(cell => cell.attention));
const queryWords = lazy(() => {
  const {scenarios, columns, platforms} = data();
  const loops = [...new Set(columns.map(column => column.loop))];
  return queries.words(scenarios, loops, platforms.map(platform => platform.name));
});
