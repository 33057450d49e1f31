/**
 * Runs the page in a simulated browser against a fake daemon, uses it as a reader does, and prints what it displays: one
 * line of JSON for each step. A process of its own, because the page polls for as long as it is open.
 */
import { readFileSync } from 'node:fs';
import { IPAddress } from 'bgp-js/ip';
import { Window } from 'happy-dom';
import { startStatusServer } from '../../http/server.ts';
import { createLogger } from '../../process/log.ts';
import { FakeSource } from './fake-source.ts';

const PAGE = new URL('../../http/page/', import.meta.url);

const server = await startStatusServer({
  source: new FakeSource(),
  http: { address: IPAddress.v4(0x7f000001), port: 0 },
  log: createLogger({ level: 'error', format: 'text' }),
});
const origin = `http://127.0.0.1:${server.http?.port}`;
const window = new Window({ url: origin });
const { document } = window;
const html = readFileSync(new URL('index.html', PAGE), 'utf8');
// The page's own script and style sheet are not loaded by the simulated browser.
document.write(html.replace(/<script[^>]*><\/script>|<link[^>]*>/g, ''));

const browser = globalThis as unknown as Record<string, unknown>;
for (const name of ['document', 'Element', 'HTMLElement', 'HTMLTableElement', 'HTMLTableRowElement'])
  browser[name] = window[name as keyof Window];
for (const name of ['HTMLButtonElement', 'HTMLInputElement']) browser[name] = window[name as keyof Window];
browser.getSelection = () => '';
const send = globalThis.fetch;
browser.fetch = (path: string, options: RequestInit) => send(origin + path, options);

const text = (selector: string): string =>
  (document.querySelector(selector)?.textContent ?? '').replace(/\s+/g, ' ').trim();

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 10));
}

const report = (step: string, value: unknown) => process.stdout.write(`${JSON.stringify({ step, value })}\n`);

function search(term: string): void {
  const input = document.querySelector('#routes-search') as unknown as { value: string };
  input.value = term;
  document.querySelector('#routes-search')?.dispatchEvent(new window.Event('input'));
}

async function panelOf(selector: string, title: string): Promise<string> {
  document.querySelector(selector)?.dispatchEvent(new window.MouseEvent('click', { bubbles: true }));
  await until(() => text('#panel-title') === title && !text('#panel-body').startsWith('loading'));
  return text('#panel-body');
}

// A variable, so that the types of the page, which has a DOM, stay out of this program.
const script = new URL('page.js', PAGE).href;
await import(script);
await until(() => text('#pulse').startsWith('live'));
report('facts', text('#facts'));
report('sessions', text('#sessions-count'));
report('rows', document.querySelectorAll('#routes tbody tr').length);
report('alerts', text('#alerts'));
search('10.244.0.0/16');
await until(() => text('#routes-mode').startsWith('within'));
report('within', [text('#routes-mode'), text('#routes-count')]);
search('2001:db8::1');
await until(() => text('#routes-mode').includes('2001'));
report('IPv6', [text('#routes-mode'), text('#routes tbody')]);
search('2001:db8');
await until(() => text('#routes-mode').startsWith('containing'));
search('');
await until(() => text('#routes-mode') === 'all routes');
report('explained', await panelOf('#routes tbody tr', '10.244.1.0/26'));
report('session', await panelOf('#sessions tbody tr[data-key^="10.0.0.254 "]', 'tor'));
await server.close();
await until(() => text('#pulse').startsWith('no answer'));
report('silent', text('#alerts .lost'));
process.exit(0);
