// Queries over scenarios and their cells: the language of reports/query.hpp, in which
// `loopscope report --query` is told as well. reports/testdata/query_cases.json holds both to it.
const queries = (() => {
  const outcomes = ['pass', 'diverges', 'fail', 'leak', 'hang', 'crash', 'unsupported', 'skip',
                    'inconclusive', 'broken', 'notrun'];
  const red = new Set(['fail', 'leak', 'hang', 'crash']);
  const unknown = new Set(['inconclusive', 'broken', 'notrun']);
  const judged = cell => cell.outcome === 'pass' || cell.outcome === 'diverges' ||
    red.has(cell.outcome);
  const behaviour = cell => cell.outcome + (cell.variant ? `:${cell.variant}` : '');
  const fields = ['area', 'level', 'severity', 'authority', 'needs', 'api', 'fact'];
  const levels = ['must', 'should', 'info'], severities = ['core', 'common', 'edge'];
  const authorities = ['posix', 'man_page', 'vendor_doc', 'asyncio_doc', 'de_facto', 'ours'];
  const fixed = {level: levels, severity: severities, authority: authorities};

  const lower = text => text.replace(/[A-Z]/g, letter => letter.toLowerCase());
  const isGlob = word => /[*?]/.test(word);
  const globs = new Map();
  /// "udp." is everything below it, "udp.*" and "udp.?" are globs, anything else is the whole word.
  function matches(pattern, word) {
    if (pattern.endsWith('.')) return word.startsWith(pattern);
    let glob = globs.get(pattern);
    if (!glob) {
      const source = pattern.replace(/[.*+?^${}()|[\]\\]/g, sign =>
        sign === '*' ? '[^]*' : sign === '?' ? '[^]' : `\\${sign}`);
      globs.set(pattern, glob = new RegExp(`^${source}$`, 'u'));
    }
    return glob.test(word);
  }
  const anyMatches = (patterns, word) => patterns.some(pattern => matches(pattern, lower(word)));

  /// Insertions, deletions, substitutions and swaps of neighbours between two words.
  function editDistance(a, b) {
    const at = [...Array(a.length + 1)].map((_, i) => [i]);
    for (let j = 0; j <= b.length; ++j) at[0][j] = j;
    for (let i = 1; i <= a.length; ++i) {
      for (let j = 1; j <= b.length; ++j) {
        at[i][j] = Math.min(at[i - 1][j] + 1, at[i][j - 1] + 1,
                            at[i - 1][j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
        if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
          at[i][j] = Math.min(at[i][j], at[i - 2][j - 2] + 1);
        }
      }
    }
    return at[a.length][b.length];
  }
  function nearMatches(wanted, known) {
    return known.map(word => {
      const contains = wanted.length >= 3 && word.includes(wanted);
      const allowed = Math.max(2, Math.floor(Math.max(wanted.length, word.length) / 3));
      return {word, distance: contains ? 1 : editDistance(wanted, word), allowed};
    }).filter(near => near.distance <= near.allowed)
      .sort((a, b) => a.distance - b.distance).slice(0, 3).map(near => near.word);
  }

  const valuesOf = (row, field) =>
    field === 'area' ? [row.id.split('.')[0], row.group, row.topic] :
    field === 'fact' ? row.facts : [row[field]].flat();

  /// What may be named: of rows {id, group, topic, level, severity, authority, needs, api, facts}.
  function words(rows, loops, platforms) {
    const values = fields.map(field => [field, [...new Set([
      ...(fixed[field] ?? []), ...rows.flatMap(row => valuesOf(row, field))])].filter(Boolean)]);
    return {loops, platforms, fields: Object.fromEntries(values)};
  }

  function hasOutcome(wanted, cell) {
    return wanted.some(word => word === 'red' ? red.has(cell.outcome) :
      word === 'unknown' ? unknown.has(cell.outcome) :
      word === 'attention' ? cell.attention : cell.outcome === word);
  }

  /// Nodes are functions (row, cells) -> bool; cells are {platform, loop, outcome, variant, repeat,
  /// attention, shared}; shared: neither it passes nor the reference loop of its platform.
  const chosen = (loops, platforms) => cell =>
    (!loops.length || anyMatches(loops, cell.loop)) &&
    (!platforms.length || anyMatches(platforms, cell.platform));
  const differs = (loops, platforms) => (row, cells) => {
    const mine = cells.filter(cell => cell.repeat === 0 && judged(cell))
      .filter(chosen(loops, platforms));
    return new Set(mine.map(behaviour)).size > 1;
  };
  function alone(mine, others) {
    if (!mine.length || !others.length) return false;
    const isRed = cell => red.has(cell.outcome);
    if (mine.every(isRed) && !others.some(isRed)) return true;
    const usual = behaviour(others[0]);
    return others.every(cell => behaviour(cell) === usual) &&
      !mine.some(cell => behaviour(cell) === usual);
  }
  const only = (loops, platforms) => (row, cells) => {
    const split = new Map();
    for (const cell of cells) {
      if (cell.repeat !== 0 || !judged(cell) || !chosen([], platforms)(cell)) continue;
      if (!split.has(cell.platform)) split.set(cell.platform, [[], []]);
      split.get(cell.platform)[chosen(loops, [])(cell) ? 0 : 1].push(cell);
    }
    return [...split.values()].some(([mine, others]) => alone(mine, others));
  };

  class Parser {
    constructor(text, known) {
      this.text = [...text];
      this.known = known;
      this.at = 0;
    }

    query() {
      this.blanks();
      if (this.done()) return () => true;
      const node = this.alternatives();
      if (!this.done()) this.refuse(this.at, ')', 'unexpected )');
      return node;
    }

    done() { return this.at >= this.text.length; }
    refuse(at, word, what, known = []) {
      const near = nearMatches(word, known);
      const named = word && !what.includes(word) ? `${what} "${word}"` : what;
      const where = word ? `${named} at character ${at + 1}` : `${named}, and the query ends`;
      const text = near.length ? `${where}; near: ${near.join(', ')}` : where;
      throw Object.assign(new Error(text), {at: at + 1, word, what, near});
    }
    endOfWord(from) {
      let end = from;
      while (end < this.text.length && !' \t\n(),:@"'.includes(this.text[end])) ++end;
      return end;
    }
    here() {
      if (this.done()) return '';
      return this.text.slice(this.at, Math.max(this.endOfWord(this.at), this.at + 1)).join('');
    }
    nextIs(sign) { return this.text[this.at] === sign; }
    take(sign) {
      if (!this.nextIs(sign)) return false;
      ++this.at;
      return true;
    }
    blanks() {
      while (!this.done() && ' \t\n'.includes(this.text[this.at])) ++this.at;
    }
    /// "or" and "and" join what stands around them, unless they are part of something longer.
    nextJoins(word) {
      return lower(this.here()) === word && !',:@'.includes(this.text[this.at + word.length] ?? ' ');
    }
    takeJoin(word) {
      if (!this.nextJoins(word)) return false;
      this.at += word.length;
      this.blanks();
      return true;
    }

    alternatives() {
      const parts = [this.conjunction()];
      while (this.takeJoin('or')) parts.push(this.conjunction());
      return (row, cells) => parts.some(part => part(row, cells));
    }
    conjunction() {
      const parts = [this.negation()];
      while (!this.done() && !this.nextIs(')') && !this.nextJoins('or')) {
        this.takeJoin('and');
        parts.push(this.negation());
      }
      return (row, cells) => parts.every(part => part(row, cells));
    }
    negation() {
      if (this.take('-')) {
        const part = this.negation();
        return (row, cells) => !part(row, cells);
      }
      const node = this.primary();
      this.blanks();
      return node;
    }
    primary() {
      if (this.nextJoins('or') || this.nextJoins('and')) {
        this.refuse(this.at, this.here(), 'expected a term');
      }
      if (!this.take('(')) return this.term();
      const opened = this.at - 1;
      this.blanks();
      const node = this.alternatives();
      if (!this.take(')')) this.refuse(opened, '(', '( is not closed');
      return node;
    }

    item(expected) {
      const at = this.at;
      if (this.take('"')) {
        const end = this.text.indexOf('"', this.at);
        if (end < 0) this.refuse(at, '"', '" is not closed');
        this.at = end + 1;
        return {at, word: lower(this.text.slice(at + 1, end).join('')), quoted: true};
      }
      this.at = this.endOfWord(at);
      if (this.at === at) this.refuse(at, this.here(), expected);
      return {at, word: lower(this.text.slice(at, this.at).join('')), quoted: false};
    }
    /// Words with commas between them; inside parentheses blanks may stand around.
    list(expected, inside = false) {
      const items = [];
      do {
        if (inside) this.blanks();
        items.push(this.item(expected));
        if (inside) this.blanks();
      } while (this.take(','));
      return items;
    }

    term() {
      const items = this.list('expected a term');
      const [first] = items;
      const bare = items.length === 1 && !first.quoted;
      if (this.nextIs(':') || this.nextIs('@')) return this.outcomeTerm(items);
      if (bare && this.nextIs('(')) return this.call(first);
      if (bare && first.word === 'differs') return differs([], []);
      if (bare && first.word === 'shared') return (row, cells) => cells.some(c => c.shared);
      if (bare && first.word === 'attention') return (row, cells) => cells.some(c => c.attention);
      return row => items.some(({word}) =>
        isGlob(word) ? matches(word, lower(row.id)) : lower(row.id).includes(word));
    }
    outcomeTerm(items) {
      const loops = this.checked(items, this.known.loops, 'unknown loop');
      const platforms = this.take('@') ? this.platforms(false) : [];
      if (!this.take(':')) this.refuse(this.at, this.here(), 'expected :');
      const words = [...outcomes, 'red', 'unknown', 'attention'];
      const asked = this.list('expected an outcome');
      for (const {at, word} of asked) {
        if (!words.includes(word)) this.refuse(at, word, 'unknown outcome', words);
      }
      const wanted = asked.map(item => item.word), fits = chosen(loops, platforms);
      return (row, cells) => cells.some(cell => hasOutcome(wanted, cell) && fits(cell));
    }
    call({at, word}) {
      const opened = this.at++;
      let node;
      if (word === 'only' || word === 'differs') {
        const loops = this.checked(this.list('expected a loop', true), this.known.loops,
                                   'unknown loop');
        const platforms = this.take('@') ? this.platforms(true) : [];
        node = (word === 'only' ? only : differs)(loops, platforms);
      } else if (fields.includes(word)) {
        const values = this.checked(this.list('expected a value', true),
                                    this.known.fields[word] ?? [], `unknown ${word}`);
        node = row => valuesOf(row, word).some(value => anyMatches(values, value));
      } else {
        this.refuse(at, word, 'unknown function', [...fields, 'only', 'differs']);
      }
      if (this.done()) this.refuse(opened, '(', '( is not closed');
      if (!this.take(')')) this.refuse(this.at, this.here(), 'expected )');
      return node;
    }
    platforms(inside) {
      return this.checked(this.list('expected a platform', inside), this.known.platforms,
                          'unknown platform');
    }
    /// The words of the items; each has to match something that is known.
    checked(items, all, complaint) {
      for (const {at, word} of items) {
        if (!all.some(known => matches(word, lower(known)))) this.refuse(at, word, complaint, all);
      }
      return items.map(item => item.word);
    }
  }

  return {
    words, outcomes, judged, behaviour, isRed: cell => red.has(cell.outcome),
    /// A function (row, cells) -> bool. Throws an Error with at, word, what and near.
    parse: (text, known) => new Parser(text, known).query(),
  };
})();
