/** A YAML text with the line and column of every value, for error messages. */
import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  type YAMLError,
} from 'yaml';

/** A path into the document: keys and list indices. */
export type KeyPath = readonly PropertyKey[];

/** One problem of a configuration file. */
export interface ConfigProblem {
  /** From 1. */
  line: number;
  /** From 1. */
  column: number;
  /** As in "peers[1].as"; empty for the file as a whole. */
  key: string;
  /** The value found, what is wrong with it, and what to do. */
  message: string;
}

/** Writes a path as "peers[1].as". */
function formatKeyPath(path: KeyPath): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else text += text === '' ? String(part) : `.${String(part)}`;
  }
  return text;
}

const SYNTAX_ADVICE: Partial<Record<YAMLError['code'], string>> = {
  DUPLICATE_KEY: 'duplicate key; keep one of the two',
  TAB_AS_INDENT: 'invalid YAML: a tab in the indentation; use spaces',
  MULTIPLE_DOCS: 'a second document starts here ("---"); keep one document per file',
  BAD_INDENT:
    'invalid YAML: the indentation does not match the lines above; indent keys of one level equally',
};

/** A parsed YAML text. */
export class ConfigDocument {
  /** YAML errors. The content is usable only if all of them are duplicate keys. */
  readonly problems: ConfigProblem[] = [];
  /** Whether the content can be checked further. */
  readonly readable: boolean;
  /** The content as plain values. */
  readonly value: unknown;
  readonly #text: string;
  readonly #document: Document;
  readonly #lines = new LineCounter();

  constructor(text: string) {
    this.#text = text;
    this.#document = parseDocument(text, { lineCounter: this.#lines, prettyErrors: false, version: '1.2' });
    for (const error of this.#document.errors) this.problems.push(this.#syntaxProblem(error));
    let readable = this.#document.errors.every((error) => error.code === 'DUPLICATE_KEY');
    try {
      // Limits aliases, with which a small file could expand without bound.
      this.value = readable ? this.#document.toJS({ maxAliasCount: 50 }) : undefined;
    } catch (error) {
      readable = false;
      const reason = error instanceof Error ? error.message : String(error);
      this.problems.push({
        line: 1,
        column: 1,
        key: '',
        message: `${reason}; write the values out without aliases`,
      });
    }
    this.readable = readable;
  }

  /** A problem at the value of a path or, if it is missing, at the start of what encloses it. */
  problemAt(path: KeyPath, message: string): ConfigProblem {
    const { node } = this.#locate(path);
    return { ...this.#position(node), key: formatKeyPath(path), message };
  }

  /** A problem at a key instead of its value. */
  problemAtKey(path: KeyPath, message: string): ConfigProblem {
    const { node, keyNode } = this.#locate(path);
    return { ...this.#position(keyNode ?? node), key: formatKeyPath(path), message };
  }

  /** The value at a path as it is written, for a message; undefined if it is missing. */
  describe(path: KeyPath): string | undefined {
    const { node, found } = this.#locate(path);
    if (!found) return undefined;
    if (isMap(node)) return 'a mapping';
    if (isSeq(node)) return 'a list';
    if (!isScalar(node) || node.value === null) return 'an empty value';
    const written =
      typeof node.value === 'string' ? JSON.stringify(node.value) : (node.source ?? String(node.value));
    return written.length > 60 ? `${written.slice(0, 59)}…` : written;
  }

  #syntaxProblem(error: YAMLError): ConfigProblem {
    const { line, col } = this.#lines.linePos(error.pos[0]);
    const advice = SYNTAX_ADVICE[error.code];
    const key = error.code === 'DUPLICATE_KEY' ? this.#keyAt(error.pos[0]) : '';
    const glued = this.#keyWithoutSpace(error);
    const message =
      (glued && `invalid YAML: missing space after the colon in ${JSON.stringify(glued)}?`) ??
      advice ??
      `invalid YAML: ${error.message.replace(/\.?$/, '')}; check this line and the one above`;
    return { line, column: col, key, message };
  }

  /** "as:64512" where an error may come from the space that is missing in it; undefined for any other error. */
  #keyWithoutSpace(error: YAMLError): string | undefined {
    if (error.code !== 'MULTILINE_IMPLICIT_KEY' && error.code !== 'MISSING_CHAR') return undefined;
    return /^[\w-]{1,40}:[^\s:][^\n]{0,40}/.exec(this.#text.slice(error.pos[0]))?.[0].trimEnd();
  }

  /** The path of the key at an offset of the text. */
  #keyAt(offset: number): string {
    const search = (node: unknown, path: PropertyKey[]): KeyPath | undefined => {
      if (isMap(node)) {
        for (const pair of node.items as Pair[]) {
          const here = [...path, keyText(pair)];
          if (isNode(pair.key) && pair.key.range?.[0] === offset) return here;
          const below = search(pair.value, here);
          if (below !== undefined) return below;
        }
      } else if (isSeq(node)) {
        for (const [index, item] of node.items.entries()) {
          const below = search(item, [...path, index]);
          if (below !== undefined) return below;
        }
      }
      return undefined;
    };
    return formatKeyPath(search(this.#document.contents, []) ?? []);
  }

  #locate(path: KeyPath): { node: Node | null; keyNode?: Node; found: boolean } {
    let node: Node | null = this.#document.contents;
    let keyNode: Node | undefined;
    for (const part of path) {
      let next: unknown;
      let nextKey: unknown;
      if (isMap(node)) {
        const pair = (node.items as Pair[]).find((item) => keyText(item) === String(part));
        if (pair === undefined) return { node, keyNode, found: false };
        // A key without a value has the position of the key.
        next = isNode(pair.value) ? pair.value : pair.key;
        nextKey = pair.key;
      } else if (isSeq(node)) {
        next = node.items[Number(part)];
      }
      if (isAlias(next)) next = next.resolve(this.#document);
      if (!isNode(next)) return { node, keyNode, found: false };
      node = next;
      keyNode = isNode(nextKey) ? nextKey : undefined;
    }
    return { node, keyNode, found: true };
  }

  #position(node: Node | null): { line: number; column: number } {
    const { line, col } = this.#lines.linePos(node?.range?.[0] ?? 0);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  }
}

function keyText(pair: Pair): string {
  return isScalar(pair.key) ? String(pair.key.value) : String(pair.key);
}
