/**
 * Tables that update in place: rows are kept by key and cells are written only when they change, so that focus,
 * selection and scrolling survive every update. Text goes in as text, never as markup.
 */

/**
 * @typedef {object} Column
 * @property {string} title
 * @property {string} [classes] classes of its cells
 * @property {number} [width] in pixels; columns without one share what is left
 * @property {(item: any) => Cell | string | number} cell
 * @property {(item: any) => string | number} [sort] makes the column sortable
 *
 * @typedef {object} Cell
 * @property {string | number} text
 * @property {string} [classes]
 * @property {string} [title] the whole text, where the cell may cut it
 */

export class Table {
  #body;
  #columns;
  #options;
  /** @type {Map<string, HTMLTableRowElement>} */
  #rows = new Map();
  #items = new Map();
  #sort = null;
  #last = [];
  #shown = '';

  /**
   * @param {HTMLTableElement} element
   * @param {Column[]} columns
   * @param {{ key: (item: any) => string, empty: string, open?: (item: any) => void, rowClass?: (item: any) => string }} options
   */
  constructor(element, columns, options) {
    this.#columns = columns;
    this.#options = options;
    this.#body = document.createElement('tbody');
    element.append(this.#widths(), this.#head(), this.#body);
    this.#body.addEventListener('click', (event) => this.#open(event));
    this.#body.addEventListener('keydown', (event) => this.#key(event));
  }

  /** Shows these items, in their order unless a column is sorted. */
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
    if (focused instanceof HTMLElement && focused !== document.activeElement && this.#body.contains(focused)) {
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

  /** Ascending, descending, as it came. */
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

  #sorted(items) {
    if (!this.#sort) return items;
    const { column, direction } = this.#sort;
    const compare = (a, b) =>
      typeof a === 'number' && typeof b === 'number' ? a - b : String(a).localeCompare(String(b), 'en', { numeric: true });
    return [...items].sort((a, b) => direction * compare(column.sort(a), column.sort(b)));
  }

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

  #emptyRow(text) {
    const row = document.createElement('tr');
    row.className = 'empty';
    const cell = row.insertCell();
    cell.colSpan = this.#columns.length;
    cell.textContent = text;
    return row;
  }

  #open(event) {
    const row = event.target.closest('tr[data-key]');
    // Selecting text in a row is not a click on it.
    if (!row || !this.#options.open || String(getSelection()) !== '') return;
    this.#focus(row);
    this.#options.open(this.#items.get(row.dataset.key));
  }

  #key(event) {
    const row = event.target.closest('tr[data-key]');
    if (!row || !this.#options.open) return;
    const next = { ArrowDown: row.nextElementSibling, ArrowUp: row.previousElementSibling }[event.key];
    if (next) this.#focus(next);
    else if (event.key === 'Enter') this.#options.open(this.#items.get(row.dataset.key));
    else return;
    event.preventDefault();
  }

  #focus(row) {
    for (const other of this.#body.querySelectorAll('tr[tabindex="0"]')) other.tabIndex = -1;
    row.tabIndex = 0;
    row.focus();
  }
}
