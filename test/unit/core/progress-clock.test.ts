import { describe, expect, test } from "vitest";
import { formatSeconds, ProgressClock, patientProgress, progressText } from "../../../src/core/index.js";

describe("ProgressClock", () => {
  test("tells speed and time left from the first event on", () => {
    let time = 0;
    const clock = new ProgressClock(() => time);
    expect(clock.read({ done: 20, total: 100, label: "a" })).toEqual({ fraction: 0.2 });
    time = 4000;
    expect(clock.read({ done: 40, total: 100, label: "a" })).toEqual({ fraction: 0.4, rate: 5, secondsLeft: 12 });
  });

  test("starts anew with another label and when the count goes back", () => {
    let time = 0;
    const clock = new ProgressClock(() => time);
    clock.read({ done: 5, label: "a" });
    time = 1000;
    expect(clock.read({ done: 9, label: "b" })).toEqual({});
    expect(clock.read({ done: 2, label: "b" })).toEqual({});
    time = 2000;
    expect(clock.read({ done: 5, label: "b" })).toEqual({ rate: 3 });
  });

  test("counts work of no size as done", () => {
    expect(new ProgressClock(() => 0).read({ done: 0, total: 0, label: "a" })).toEqual({ fraction: 1 });
  });
});

describe("progressText", () => {
  test("says how far, how fast and how long still", () => {
    const event = { done: 1200, total: 5000, label: "tokens" };
    expect(progressText(event, { fraction: 0.24, rate: 310.4, secondsLeft: 12.2 })).toBe(
      "tokens 1200/5000 (24%), 310/s, 13 s left",
    );
    expect(progressText({ ...event, done: 5000 }, { fraction: 1, rate: 0.123, secondsLeft: 0 })).toBe(
      "tokens 5000/5000 (100%), 0.12/s",
    );
    expect(progressText({ done: 3, label: "files" }, {})).toBe("files 3");
    expect(progressText({ done: 3, label: "train", note: "loss 2.31" }, { rate: 4 })).toBe("train 3, loss 2.31, 4/s");
  });

  test.each([
    [0, "0 s"],
    [59.2, "1 min"],
    [200, "3 min 20 s"],
    [3600, "1 h"],
    [7500, "2 h 5 min"],
  ])("writes %d seconds as %s", (seconds, text) => {
    expect(formatSeconds(seconds)).toBe(text);
  });
});

test("patient progress stays silent while the work is short", () => {
  let time = 0;
  const seen: number[] = [];
  const report = patientProgress(
    ({ done }) => seen.push(done),
    2000,
    () => time,
  );
  report({ done: 1, label: "a" });
  time = 2000;
  report({ done: 2, label: "a" });
  expect(seen).toEqual([2]);
});
