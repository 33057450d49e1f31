import assert from 'node:assert/strict';
import { type BarsChart, draw, type LinesChart, PALETTE } from '../../bench/chart.ts';
import { withSection } from '../../bench/document.ts';

/** Relative luminance as WCAG 2 defines it. */
function luminance(colour: string): number {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const value = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(a: string, b: string): number {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
}

const bars: BarsChart = {
  kind: 'bars',
  file: 'a.svg',
  title: 'A & B',
  highlight: 'ours',
  panels: [
    {
      group: 'g',
      title: 'time, s',
      bars: [
        { label: 'ours', value: 1 },
        { label: 'theirs', value: 4 },
        { label: 'late', value: null },
      ],
    },
  ],
};

const lines: LinesChart = {
  kind: 'lines',
  file: 'b.svg',
  title: 'growth',
  x: { label: 'routes', logarithmic: true },
  y: { label: 'time, s', logarithmic: true },
  series: [{ label: 'load', points: [100, 1000, 10_000].map((x) => [x, x / 1000] as const) }],
};

describe('charts', () => {
  for (const form of ['light', 'dark'] as const) {
    it(`can be read on a ${form} page`, () => {
      for (const [name, colours] of Object.entries(PALETTE)) {
        if (name === 'page' || name === 'grid') continue;
        const least = name === 'text' || name === 'quiet' ? 4.5 : 3;
        const found = contrast(colours[form], PALETTE.page[form]);
        assert.ok(found >= least, `${name} has a contrast of ${found.toFixed(1)} on ${form}`);
      }
    });
  }

  it('follow the page with every colour that they use', () => {
    const text = draw(bars);
    const dark = text.slice(text.indexOf('@media (prefers-color-scheme:dark)'));
    for (const [name, colours] of Object.entries(PALETTE)) {
      assert.ok(dark.includes(`.${name}{fill:${colours.dark}}`), name);
    }
    assert.doesNotMatch(text.slice(text.indexOf('</style>')), /fill=|stroke=|#[0-9a-f]{6}/);
  });

  it('draw bars as long as their values', () => {
    const widths = [...draw(bars).matchAll(/<rect class="(?:series0|other)".*? width="([\d.]+)"/g)];
    assert.equal(widths.length, 2, 'none for a value that is not there');
    assert.ok(Math.abs(Number(widths[1][1]) / Number(widths[0][1]) - 4) < 0.05);
    assert.match(draw(bars), />not in time</);
    assert.match(draw(bars), /A &amp; B/);
  });

  it('draw a power as a straight line on logarithmic axes', () => {
    const path = /d="M([\d.]+) ([\d.]+)L([\d.]+) ([\d.]+)L([\d.]+) ([\d.]+)"/.exec(draw(lines));
    assert.ok(path);
    const [x0, y0, x1, y1, x2, y2] = path.slice(1).map(Number);
    assert.ok(Math.abs(x1 - x0 - (x2 - x1)) < 0.3);
    assert.ok(Math.abs(y1 - y0 - (y2 - y1)) < 0.3);
    assert.ok(y2 < y0, 'more is higher');
  });
});

describe('docs/benchmarks.md', () => {
  const document = 'Head\n<!-- bench:a -->\nold\n<!-- /bench:a -->\nTail\n';

  it('gets a result between the marks of its benchmark, and twice the same', () => {
    const once = withSection(document, 'a', 'new');
    assert.equal(once, 'Head\n<!-- bench:a -->\n\nnew\n\n<!-- /bench:a -->\nTail\n');
    assert.equal(withSection(once, 'a', 'new'), once);
  });

  it('must have the marks', () => {
    assert.throws(() => withSection(document, 'b', 'new'), /no place for b/);
  });
});
