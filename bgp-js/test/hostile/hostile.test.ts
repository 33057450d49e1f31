import { attributeCases } from './cases-attributes.ts';
import { extensionCases } from './cases-extensions.ts';
import { headerCases } from './cases-header.ts';
import { openCases } from './cases-open.ts';
import { updateCases } from './cases-update.ts';
import { play } from './play.ts';
import { coreStage, tcpStage } from './stage.ts';

const cases = [...headerCases, ...openCases, ...updateCases, ...attributeCases, ...extensionCases].sort(
  (a, b) => a.number - b.number,
);

for (const [name, build] of [
  ['the core', coreStage],
  ['a speaker on TCP', tcpStage],
] as const) {
  describe(`hostile input to ${name}`, function () {
    this.timeout(60_000);
    for (const test of cases) {
      it(`${test.number} ${test.what}`, async () => {
        const stage = await build(test);
        try {
          await play(test, stage);
        } finally {
          await stage.end();
        }
      });
    }
  });
}
