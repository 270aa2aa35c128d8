// biome-ignore-all lint/style/noNonNullAssertion: every index is a state, an edge or a code unit, all in range

/** Finds every occurrence of many strings in one pass over a text, however many strings there are. */
export type Automaton = {
  /**
   * Tells each place where strings end: `onMatch(start, end)` with the longest string that ends there, in order of `end`.
   * Returns how many characters at the end of the text may be the beginning of a string.
   */
  scan(text: string, onMatch: (start: number, end: number) => void): number;
};

/** Entries of the dense table at most; states beyond stay in the hash table, slower and far smaller. */
const DENSE_ENTRIES = 1 << 20;
/** States this deep are rarely reached by text that holds no secret. */
const DENSE_DEPTH = 3;
/** Marks, in the dense table, a state which accepts or which the table does not hold. */
const SPECIAL = 1 << 30;

/**
 * Builds the automaton of Aho and Corasick. The states near the root, where ordinary text stays, are a dense table over
 * the characters that occur in strings; deeper ones are edges in a hash table with failure links. So time is linear in
 * the text and memory is linear in the strings, whatever a hostile job makes secret.
 */
export function buildAutomaton(strings: readonly string[]): Automaton {
  const { edges, depths, longest } = buildTrie(strings);
  const failures = linkFailures(edges, depths, longest);
  const { classes, width } = classify(edges);
  const denseCount = countDense(depths, width);
  const dense = fillDense(edges, failures, longest, { classes, width, denseCount });

  function step(from: number, code: number): number {
    for (let state = from; ; state = failures[state]!) {
      if (state < denseCount) {
        const entry = dense[state * width + classes[code]!]!;
        return entry >= SPECIAL ? entry - SPECIAL : entry / width;
      }
      const child = edges.get(state, code);
      if (child !== 0) return child;
    }
  }

  return {
    scan(text, onMatch) {
      const length = text.length;
      let at = 0;
      let row = 0;
      while (at < length) {
        row = dense[row + classes[text.charCodeAt(at++)]!]!;
        if (row < SPECIAL) continue;

        let state = row - SPECIAL;
        for (;;) {
          if (longest[state] !== 0) onMatch(at - longest[state]!, at);
          if (state < denseCount) break;
          if (at === length) return depths[state]!;
          state = step(state, text.charCodeAt(at++));
        }
        row = state * width;
      }
      return depths[row / width]!;
    },
  };
}

type Trie = {
  readonly edges: Edges;
  /** By state, in breadth-first order: its depth, and the longest string that ends in it. */
  readonly depths: Int32Array;
  readonly longest: Int32Array;
};

/** Level by level and in order, so that states are numbered breadth-first and the edges of one state lie together. */
function buildTrie(unsorted: readonly string[]): Trie {
  const strings = unsorted.toSorted();
  const total = strings.reduce((sum, string) => sum + string.length, 0);
  const edges = new Edges(total);
  const depths = new Int32Array(total + 1);
  const longest = new Int32Array(total + 1);
  const states = new Int32Array(strings.length);
  let going = strings.map((_, index) => index);
  let count = 1;
  for (let depth = 0; going.length > 0; depth++) {
    going = going.filter((index) => {
      const string = strings[index]!;
      const state = states[index]!;
      if (depth === string.length) {
        longest[state] = depth;
        return false;
      }
      const code = string.charCodeAt(depth);
      let child = edges.get(state, code);
      if (child === 0) {
        child = count++;
        edges.add(state, code, child);
        depths[child] = depth + 1;
      }
      states[index] = child;
      return true;
    });
  }
  return { edges, depths: depths.subarray(0, count), longest: longest.subarray(0, count) };
}

/** A state's failure link is its longest proper suffix that is a state too; what ends there ends here as well. */
function linkFailures(edges: Edges, depths: Int32Array, longest: Int32Array): Int32Array {
  const failures = new Int32Array(depths.length);
  for (let edge = 0; edge < edges.count; edge++) {
    const child = edge + 1;
    const parent = edges.parents[edge]!;
    const code = edges.codes[edge]!;
    let failure = 0;
    for (let state = parent; state !== 0 && failure === 0; ) {
      state = failures[state]!;
      failure = edges.get(state, code);
    }
    failures[child] = failure;
    if (longest[child] === 0) longest[child] = longest[failure]!;
  }
  return failures;
}

/** Numbers the characters that occur; 0 stands for all others. */
function classify(edges: Edges): { classes: Uint16Array; width: number } {
  // No secret holds a line break, so 16 bits are enough; each job has such a table.
  const classes = new Uint16Array(0x10000);
  let width = 1;
  for (let edge = 0; edge < edges.count; edge++) {
    const code = edges.codes[edge]!;
    if (classes[code] === 0) classes[code] = width++;
  }
  return { classes, width };
}

function countDense(depths: Int32Array, width: number): number {
  const limit = Math.max(1, Math.floor(DENSE_ENTRIES / width));
  let count = 1;
  while (count < depths.length && count < limit && depths[count]! <= DENSE_DEPTH) count++;
  return count;
}

function fillDense(
  edges: Edges,
  failures: Int32Array,
  longest: Int32Array,
  table: { classes: Uint16Array; width: number; denseCount: number },
): Int32Array {
  const { classes, width, denseCount } = table;
  const dense = new Int32Array(denseCount * width);
  let edge = 0;
  for (let state = 0; state < denseCount; state++) {
    // Where no edge leads on, the state does what its failure link does, whose row is above and complete.
    const failure = failures[state]! * width;
    if (state !== 0) dense.copyWithin(state * width, failure, failure + width);
    for (; edge < edges.count && edges.parents[edge] === state; edge++) {
      const child = edge + 1;
      const plain = child < denseCount && longest[child] === 0;
      dense[state * width + classes[edges.codes[edge]!]!] = plain ? child * width : SPECIAL + child;
    }
  }
  return dense;
}

/** The edges of a trie. Edge number n leads to state n + 1. */
class Edges {
  count = 0;
  readonly parents: Int32Array;
  readonly codes: Uint16Array;
  readonly #slots: Int32Array;
  readonly #mask: number;

  constructor(capacity: number) {
    this.parents = new Int32Array(capacity);
    this.codes = new Uint16Array(capacity);
    const size = 1 << Math.ceil(Math.log2(Math.max(16, capacity * 2)));
    this.#slots = new Int32Array(size);
    this.#mask = size - 1;
  }

  /** The state that `code` leads to from `state`, 0 when there is none. */
  get(state: number, code: number): number {
    for (let slot = this.#hash(state, code); ; slot = (slot + 1) & this.#mask) {
      const child = this.#slots[slot]!;
      if (child === 0) return 0;
      if (this.parents[child - 1] === state && this.codes[child - 1] === code) return child;
    }
  }

  add(state: number, code: number, child: number): void {
    let slot = this.#hash(state, code);
    while (this.#slots[slot] !== 0) slot = (slot + 1) & this.#mask;
    this.#slots[slot] = child;
    this.parents[child - 1] = state;
    this.codes[child - 1] = code;
    this.count++;
  }

  #hash(state: number, code: number): number {
    const mixed = Math.imul(state, 0x9e3779b1) ^ Math.imul(code + 1, 0x85ebca6b);
    return (mixed ^ (mixed >>> 15)) & this.#mask;
  }
}
