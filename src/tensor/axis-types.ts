/** Axis names in types: what they become when an axis is dropped, indexed, broadcast or contracted. */

/** Axis names, outermost first. */
export type Axes = readonly string[];

/** One size per axis. */
export type ShapeOf<A extends Axes> = Readonly<{ [K in keyof A]: number }>;

/** The axes that are left when those in `X` are removed; plain `Axes` stay plain. */
export type Drop<A extends Axes, X extends string> = string extends A[number]
  ? Axes
  : A extends readonly [infer Head extends string, ...infer Rest extends Axes]
    ? Head extends X
      ? Drop<Rest, X>
      : readonly [Head, ...Drop<Rest, X>]
    : readonly [];

/** The axes after a reduction over `X`, or all of them when they are kept with size 1. */
export type Reduced<A extends Axes, X extends string, K extends boolean> = K extends true ? A : Drop<A, X>;

/** The axes of `a + b`: those of the operand that has them all, otherwise not known in the type. */
export type BroadcastAxes<A extends Axes, B extends Axes> = string extends A[number] | B[number]
  ? Axes
  : [B[number]] extends [A[number]]
    ? A
    : [A[number]] extends [B[number]]
      ? B
      : Axes;

/** The axes of a contraction over `X`: the left operand's, then the right operand's new ones. */
export type MatmulAxes<A extends Axes, B extends Axes, X extends string> = string extends A[number] | B[number] | X
  ? Axes
  : readonly [...Drop<A, X>, ...Drop<B, X | A[number]>];

/** The axes after `t.at(selector)`: a number drops its axis, anything else keeps it. */
export type Selected<A extends Axes, S> = string extends A[number]
  ? Axes
  : A extends readonly [infer Head extends string, ...infer Rest extends Axes]
    ? Head extends keyof S
      ? [S[Head]] extends [number]
        ? Selected<Rest, S>
        : readonly [Head, ...Selected<Rest, S>]
      : readonly [Head, ...Selected<Rest, S>]
    : readonly [];

/** The axes after `t.rename(names)`. */
export type Renamed<A extends Axes, N> = string extends A[number]
  ? Axes
  : A extends readonly [infer Head extends string, ...infer Rest extends Axes]
    ? readonly [Head extends keyof N ? (N[Head] extends string ? N[Head] : Head) : Head, ...Renamed<Rest, N>]
    : readonly [];

/** Refuses keys that are not axes, where both are known in the type. */
export type OnlyAxes<A extends Axes, K> = string extends A[number] | K
  ? unknown
  : { readonly [Unknown in Exclude<K & string, A[number]>]: never };
