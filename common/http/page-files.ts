/** The files of the page at `/`, read once when the daemon starts. */
import { readFileSync } from 'node:fs';

/** One file of the page. */
export interface PageFile {
  /** Media type. */
  type: string;
  content: Buffer;
}

const FILES: [path: string, name: string, type: string][] = [
  ['/', 'index.html', 'text/html; charset=utf-8'],
  ['/page.css', 'page.css', 'text/css; charset=utf-8'],
  ['/page.js', 'page.js', 'text/javascript; charset=utf-8'],
  ['/table.js', 'table.js', 'text/javascript; charset=utf-8'],
  ['/views.js', 'views.js', 'text/javascript; charset=utf-8'],
  ['/icon.svg', 'icon.svg', 'image/svg+xml'],
];

/** By path of the URL. */
export const pageFiles: ReadonlyMap<string, PageFile> = new Map(
  FILES.map(([path, name, type]) => [
    path,
    { type, content: readFileSync(new URL(`page/${name}`, import.meta.url)) },
  ]),
);
