/**
 * Tables that update in place: rows are kept by key and cells are written only when they change, so that focus,
 * selection and scrolling survive every update. Text goes in as text, never as markup.
 */

/**
 * @template T what a row shows
 * @typedef {object} Column
 * @property {string} title
 * @property {string} [classes] classes of its cells
 * @property {number} [width] in pixels; columns without one share what is left
 * @property {(item: T) => Cell | string | number} cell
 * @property {(item: T) => string | number} [sort] makes the column sortable
 */

/**
 * @typedef {object} Cell
 * @property {string | number} text
 * @property {string} [classes]
 * @property {string} [title] the whole text, where the cell may cut it
 */

/**
 * @template T
 * @typedef {object} TableOptions
 * @property {(item: T) => string} key tells the items apart
 * @property {string} empty the text of a table without rows
 * @property {(item: T) => void} [open] called for a row that is clicked, or on which Enter is pressed
 */

/** @template T */
export class Table {
  /** @type {HTMLTableSectionElement} */
  #body;
  /** @type {Column<T>[]} */
  #columns;
  /** @type {TableOptions<T>} */
  #options;
  /** @type {Map<string, HTMLTableRowElement>} */
  #rows = new Map();
  /** @type {Map<string, T>} */
  #items = new Map();
  /** @type {{ column: Column<T>, direction: 1 | -1 } | null} */
  #sort = null;
  /** @type {T[]} */
  #last = [];
  #shown = '';

  /**
   * @param {HTMLTableElement} element
   * @param {Column<T>[]} columns
   * @param {TableOptions<T>} options
   */
  constructor(element, columns, options) {
    this.#columns = columns;
    this.#options = options;
    this.#body = document.createElement('tbody');
    element.append(this.#widths(), this.#head(), this.#body);
    this.#body.addEventListener('click', (event) => this.#open(event));
    this.#body.addEventListener('keydown', (event) => this.#key(event));
  }

  /**
   * Shows these items, in their order unless a column is sorted.
   * @param {T[]} items
   */
  update(items, empty = this.#options.empty) {
    this.#last = items;
    const rows = [];
    this.#items.clear();
    for (const item of this.#sorted(items)) {
      const key = this.#options.key(item);
      if (this.#items.has(key)) continue;
      this.#items.set(key, item);
      rows.push(this.#row(key, item));
    }
    for (const [key, row] of this.#rows) {
      if (!this.#items.has(key)) {
        row.remove();
        this.#rows.delete(key);
      }
    }
    this.#place(rows, empty);
  }

  /**
   * @param {HTMLTableRowElement[]} rows
   * @param {string} empty
   */
  #place(rows, empty) {
    const order = [...this.#items.keys()].join('\n');
    if (rows.length === 0) {
      this.#shown = '';
      if (this.#body.textContent !== empty) this.#body.replaceChildren(this.#emptyRow(empty));
      return;
    }
    if (order === this.#shown) return;
    this.#shown = order;
    const focused = document.activeElement;
    this.#body.replaceChildren(...rows);
    if (
      focused instanceof HTMLElement &&
      focused !== document.activeElement &&
      this.#body.contains(focused)
    ) {
      focused.focus({ preventScroll: true });
    }
    // One row takes part in the tab order; the arrow keys lead to the others.
    if (!rows.some((row) => row.tabIndex === 0) && this.#options.open) rows[0].tabIndex = 0;
  }

  /** Widths are fixed, so that no update moves a column. */
  #widths() {
    const group = document.createElement('colgroup');
    for (const column of this.#columns) {
      const col = document.createElement('col');
      col.className = column.classes?.includes('narrow-off') ? 'narrow-off' : '';
      if (column.width) col.style.width = `${column.width}px`;
      group.append(col);
    }
    return group;
  }

  #head() {
    const head = document.createElement('thead');
    const row = head.insertRow();
    for (const column of this.#columns) {
      const cell = document.createElement('th');
      cell.scope = 'col';
      cell.className = column.classes ?? '';
      if (column.sort) {
        const button = document.createElement('button');
        button.type = 'button';
        button.textContent = column.title;
        button.addEventListener('click', () => this.#sortBy(column, row));
        cell.append(button);
      } else {
        cell.textContent = column.title;
      }
      row.append(cell);
    }
    return head;
  }

  /**
   * The order after a click on a title: ascending, then descending, then that of the items.
   * @param {Column<T>} column
   * @param {HTMLTableRowElement} row
   */
  #sortBy(column, row) {
    const current = this.#sort?.column === column ? this.#sort.direction : 0;
    const direction = current === 0 ? 1 : current === 1 ? -1 : 0;
    this.#sort = direction === 0 ? null : { column, direction };
    for (const [index, cell] of [...row.cells].entries()) {
      if (direction !== 0 && this.#columns[index] === column) {
        cell.setAttribute('aria-sort', direction === 1 ? 'ascending' : 'descending');
      } else {
        cell.removeAttribute('aria-sort');
      }
    }
    this.update(this.#last);
  }

  /** @param {T[]} items */
  #sorted(items) {
    if (!this.#sort) return items;
    const { column, direction } = this.#sort;
    const { sort } = column;
    if (!sort) return items;
    /** @type {(a: string | number, b: string | number) => number} */
    const compare = (a, b) =>
      typeof a === 'number' && typeof b === 'number'
        ? a - b
        : String(a).localeCompare(String(b), 'en', { numeric: true });
    return [...items].sort((a, b) => direction * compare(sort(a), sort(b)));
  }

  /**
   * The row of an item, with its cells brought up to date.
   * @param {string} key
   * @param {T} item
   */
  #row(key, item) {
    let row = this.#rows.get(key);
    if (!row) {
      row = document.createElement('tr');
      row.dataset.key = key;
      if (this.#options.open) {
        row.className = 'opens';
        row.tabIndex = -1;
      }
      for (const _ of this.#columns) row.insertCell();
      this.#rows.set(key, row);
    }
    for (const [index, column] of this.#columns.entries()) {
      const value = column.cell(item);
      const { text, classes = '', title = '' } = typeof value === 'object' ? value : { text: value };
      const cell = row.cells[index];
      const className = `${column.classes ?? ''} ${classes}`.trim();
      if (cell.textContent !== String(text)) cell.textContent = String(text);
      if (cell.className !== className) cell.className = className;
      if (cell.title !== title) cell.title = title;
    }
    return row;
  }

  /** @param {string} text */
  #emptyRow(text) {
    const row = document.createElement('tr');
    row.className = 'empty';
    const cell = row.insertCell();
    cell.colSpan = this.#columns.length;
    cell.textContent = text;
    return row;
  }

  /** @param {Event} event */
  #open(event) {
    const row = rowOf(event);
    // Selecting text in a row is not a click on it.
    if (!row || !this.#options.open || String(getSelection()) !== '') return;
    this.#focus(row);
    this.#openRow(row);
  }

  /** @param {HTMLTableRowElement} row */
  #openRow(row) {
    const item = this.#items.get(row.dataset.key ?? '');
    if (item !== undefined) this.#options.open?.(item);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const row = rowOf(event);
    if (!row || !this.#options.open) return;
    const down = event.key === 'ArrowDown' ? row.nextElementSibling : null;
    const next = event.key === 'ArrowUp' ? row.previousElementSibling : down;
    if (next instanceof HTMLTableRowElement) this.#focus(next);
    else if (event.key === 'Enter') this.#openRow(row);
    else return;
    event.preventDefault();
  }

  /** @param {HTMLTableRowElement} row */
  #focus(row) {
    for (const other of this.#rows.values()) if (other.tabIndex === 0) other.tabIndex = -1;
    row.tabIndex = 0;
    row.focus();
  }
}

/**
 * The row in which an event happened; null for rows without an item.
 * @param {Event} event
 */
function rowOf({ target }) {
  const row = target instanceof Element ? target.closest('tr[data-key]') : null;
  return row instanceof HTMLTableRowElement ? row : null;
}
