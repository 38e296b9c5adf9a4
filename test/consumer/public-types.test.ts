/** No public type may turn into `any` in a cell, or drag another package's types along. */
import { describe, expect, test } from "vitest";
import { findProblems, findProblemsIn } from "./public-types.js";

describe("public types under TypeScript 5.0.4", () => {
  test("none is any, and none belongs to another package", () => {
    expect(findProblems()).toEqual([]);
  }, 120_000);

  const wrong: readonly (readonly [string, string, string])[] = [
    ["a property that is any", "export interface A { readonly b: any }", "A.b: any"],
    [
      "a generic typed array, which 5.0.4 reads as any",
      "export declare const f: () => Float32Array<ArrayBuffer>;",
      "f(): any",
    ],
    ["a parameter that is any", "export declare function f(x: { y: any[] }): void;", "f(x).y<>: any"],
    ["any inside a promise", "export declare class C { run(): Promise<any>; }", "C().run()<>: any"],
    ["a type that cannot be found", 'import type { X } from "nowhere"; export interface A { x?: X }', "A.x: any"],
    ["Node's Buffer", "export declare const b: Buffer;", "b: Buffer, declared by another package"],
    [
      "Node's namespaces",
      "export interface A { s: NodeJS.ReadableStream }",
      "A.s: ReadableStream, declared by another package",
    ],
    [
      "Node's modules",
      'import { Stats } from "fs"; export interface A { s: Stats }',
      "A.s: Stats, declared by another package",
    ],
    [
      "onnxruntime's types",
      'import type { InferenceSession } from "onnxruntime-common"; export interface A { s: InferenceSession }',
      "A.s: InferenceSession, declared by another package",
    ],
    ["any behind an index signature", "export interface A { [key: string]: any }", "A[]: any"],
    [
      "any in a union of a namespace",
      "declare namespace n { const v: Set<any> | string; } export { n };",
      "n.v<>: any",
    ],
    [
      "any in a generic class whose methods return larger instances of it",
      "export declare class G<A> { pair(): G<[A]>; self: G<A>; nested: { b: A; c: any } }",
      "G().nested.c: any",
    ],
    [
      "any as the argument of a generic class",
      "export declare class G<A> { a: A } export declare const g: G<any>;",
      "g<>: any",
    ],
  ];
  const fine =
    "export declare class C { #p; private q: any; data: Float32Array; run(o?: { signal?: AbortSignal }): Promise<unknown>; }";
  const found = findProblemsIn([...wrong.map(([, declarations]) => declarations), fine]);

  for (const [i, [what, , problem]] of wrong.entries()) {
    test(`the walk finds ${what}`, () => {
      expect(found).toContain(`p${i}.${problem}`);
    });
  }

  test("private members, unknown, plain typed arrays and abort signals are fine", () => {
    expect(found.filter((problem) => problem.startsWith(`p${wrong.length}.`))).toEqual([]);
  });
});
