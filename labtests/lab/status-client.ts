/** Requests to a daemon of a lab over the Unix socket of its status endpoint. */
import { request } from 'node:http';

/** One GET; rejects when there is no answer within 10 s. */
export function get(socketPath: string, path: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, path, timeout: 10_000 }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => {
        body += text;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
      response.on('error', reject);
    });
    call.on('timeout', () => call.destroy(new Error(`${socketPath} did not answer ${path} within 10 s`)));
    call.on('error', reject);
    call.end();
  });
}

/** One document of `/v1/…`; rejects when the answer is not 200. */
export async function view<T>(socketPath: string, path: string): Promise<T> {
  const { status, body } = await get(socketPath, path);
  if (status !== 200) throw new Error(`${socketPath} answered ${path} with ${status}: ${body}`);
  return JSON.parse(body) as T;
}
