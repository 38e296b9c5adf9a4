/** Which outputs of a notebook carry plotly.js. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { configure, type DisplayBundle, show } from "../../../src/notebook/index.js";
import { bars, panels, plotly, type View } from "../../../src/viz/index.js";

const first = plotly({ data: [{ y: [1, 2] }] });
const second = plotly({ data: [{ y: [3, 4] }] });
const rare = plotly({ data: [{ type: "pie", values: [1] }] });

/** The builds that the outputs shown in turn carry. */
async function carried(...views: readonly View[]): Promise<readonly (string | undefined)[]> {
  const sent: DisplayBundle[] = [];
  vi.stubGlobal("Deno", { jupyter: { display: (bundle: DisplayBundle) => void sent.push(bundle) } });
  for (const view of views) await show(view);
  return sent.map((bundle) => /p\.coming="(\w+)";/.exec(bundle["text/html"])?.[1]);
}

beforeEach(() => {
  vi.spyOn(process.stderr, "write").mockReturnValue(true);
  configure({ plotly: "once" });
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
  configure({ plotly: "once" });
});

describe("plotly.js", () => {
  test("comes with the first figure only", async () => {
    expect(await carried(bars([1]), first, second, panels([second]))).toEqual([
      undefined,
      "common",
      undefined,
      undefined,
    ]);
  });
  test("comes again when the cell that carried it runs again", async () => {
    expect(await carried(first, second, first, second)).toEqual(["common", undefined, "common", undefined]);
  });
  test("comes in its large build with the first rare trace, which serves all others", async () => {
    expect(await carried(first, rare, second, rare)).toEqual(["common", "all", undefined, "all"]);
    configure({ plotly: "once" });
    expect(await carried(rare, first)).toEqual(["all", undefined]);
  });
  test("comes with every figure or with none when that is asked", async () => {
    configure({ plotly: "each" });
    expect(await carried(first, second)).toEqual(["common", "common"]);
    configure({ plotly: "never" });
    expect(await carried(first, rare)).toEqual([undefined, undefined]);
  });
  test("an unknown choice is refused", () => {
    expect(() => {
      configure({ plotly: "cdn" } as unknown as Parameters<typeof configure>[0]);
    }).toThrow('configure: got plotly: "cdn"; expected "each" or "never" or "once".');
  });
});
