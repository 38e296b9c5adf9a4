import { describe, expect, it } from "vitest";
import { gradients } from "../../../src/autodiff/index.js";
import { ruleTable } from "../../../src/autodiff/rules.js";
import { opNames, opSchemas } from "../../../src/graph/index.js";
import { ruleCases } from "./rule-cases.js";
import { Bench } from "./run.js";

const entries = Object.entries(ruleTable);

describe("the rule table", () => {
  it("has one entry for each row of the op table", () => {
    expect(Object.keys(ruleTable).sort()).toEqual(opSchemas.map(({ op }) => op).sort());
    expect([...opNames].sort()).toEqual(opSchemas.map(({ op }) => op).sort());
  });

  it("has a case against finite differences for every rule", () => {
    const rules = entries.flatMap(([op, entry]) => (typeof entry === "function" ? [op] : []));
    expect(rules.filter((op) => !Object.hasOwn(ruleCases, op))).toEqual([]);
    expect(Object.keys(ruleCases).filter((op) => !rules.includes(op))).toEqual([]);
  });

  it("says why the other ops pass no gradient", () => {
    const reasons = entries.flatMap(([op, entry]) => (typeof entry === "function" ? [] : [`${op}: ${entry.reason}`]));
    expect(reasons).toMatchInlineSnapshot(`
      [
        "Equal: it makes truth values",
        "Less: it makes truth values",
        "LessOrEqual: it makes truth values",
        "Greater: it makes truth values",
        "GreaterOrEqual: it makes truth values",
        "And: it makes truth values",
        "Or: it makes truth values",
        "Xor: it makes truth values",
        "Not: it makes truth values",
        "Sign: it is constant between its steps",
        "Floor: it is constant between its steps",
        "Ceil: it is constant between its steps",
        "Round: it is constant between its steps",
        "IsNaN: it makes truth values",
        "IsInf: it makes truth values",
        "ArgMax: it makes whole numbers",
        "ArgMin: it makes whole numbers",
        "Shape: it makes whole numbers",
        "Size: it makes whole numbers",
        "ConstantOfShape: it depends on a shape only",
        "Callback: a JavaScript function decides what it returns",
      ]
    `);
  });

  it("names a step function that stands in the way", () => {
    const { builder, ops } = new Bench();
    const x = builder.input("x", "float64", [2]);
    const loss = ops.reduceSum(ops.floor(x), undefined, false);
    expect(() => gradients(builder, loss, [x])).toThrow(
      'gradient with respect to %x: float64[2]: got paths that only lead through Floor (it is constant between its steps); expected an output that depends on it. Leave it out, or ask for zeros with { unreached: "zero" }.',
    );
  });
});
