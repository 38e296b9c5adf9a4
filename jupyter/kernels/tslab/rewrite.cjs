"use strict";
/**
 * Rewrites what tslab 1.0.22 miscompiles, with tslab's own TypeScript, without moving any line.
 *
 * tslab turns every use of an earlier cell's variable `x` into `exports.x`, also where only a name may stand:
 *
 * - `{ x }` throws "x is not defined": becomes `{ x: x }`; in a target, `{ x = 1 }` becomes `{ x: x = 1 }`.
 * - `const { k: v } = o` and `({ k: v } = o)` do not compile when `o` has an earlier cell's type: become `{ ["k"]: v }`.
 *
 * And it sees no top-level await in `await (…)`, `await […]` or `for await`: such a cell gets an await that never runs.
 */

/** Never runs, so that a loop before the first real await can still be interrupted. */
const awaitMark = "if (0) await 0;";

/**
 * Returns a function from a cell's code to `{ code, toOriginal }`.
 *
 * `toOriginal({ line, character })` takes a place in the rewritten code, both from 0, to the place that the user sees.
 */
function createRewrite(ts) {
  return (code) => {
    const source = ts.createSourceFile(
      "cell.ts",
      `${code}\nexport {};`,
      ts.ScriptTarget.Latest,
      true,
      ts.ScriptKind.TS,
    );
    // A broken cell is reported as it stands.
    const edits = source.parseDiagnostics.length > 0 ? [] : findEdits(ts, source);
    edits.sort((a, b) => a.position - b.position);
    return { code: applyEdits(code, edits), toOriginal: createToOriginal(source, edits) };
  };
}

/** Returns edits `{ position, text }`: text to insert. */
function findEdits(ts, source) {
  const edits = [];
  let hasTopLevelAwait = false;
  const visit = (node, isTopLevel) => {
    edits.push(...editsOf(ts, source, node));
    if (isTopLevel && isAwait(ts, node)) hasTopLevelAwait = true;
    const isInner = isTopLevel && !ts.isFunctionLike(node) && !ts.isClassLike(node);
    ts.forEachChild(node, (child) => visit(child, isInner));
  };
  visit(source, true);
  if (hasTopLevelAwait) edits.push({ position: source.statements[0].getStart(source), text: awaitMark });
  return edits;
}

function editsOf(ts, source, node) {
  if (ts.isShorthandPropertyAssignment(node)) return [{ position: node.name.end, text: `: ${node.name.text}` }];
  const name = ts.isBindingElement(node) ? node.propertyName : isTargetProperty(ts, node) ? node.name : undefined;
  if (name === undefined || !ts.isIdentifier(name)) return [];
  return [
    { position: name.getStart(source), text: '["' },
    { position: name.end, text: '"]' },
  ];
}

/** Tells whether a node is a `k: v` of an assignment's target, as in `({ k: v } = o)`. */
function isTargetProperty(ts, node) {
  return ts.isPropertyAssignment(node) && isTarget(ts, node.parent);
}

function isTarget(ts, node) {
  const { parent } = node;
  if (ts.isBinaryExpression(parent)) {
    // `({ a: { b: c } = {} } = o)`: the inner object is the target of a default.
    return parent.left === node && parent.operatorToken.kind === ts.SyntaxKind.EqualsToken;
  }
  if (ts.isForOfStatement(parent)) return parent.initializer === node;
  if (ts.isPropertyAssignment(parent)) return parent.initializer === node && isTarget(ts, parent.parent);
  if (ts.isArrayLiteralExpression(parent) || ts.isParenthesizedExpression(parent)) return isTarget(ts, parent);
  return false;
}

function isAwait(ts, node) {
  return ts.isAwaitExpression(node) || (ts.isForOfStatement(node) && node.awaitModifier !== undefined);
}

function applyEdits(code, edits) {
  let [result, from] = ["", 0];
  for (const { position, text } of edits) {
    result += code.slice(from, position) + text;
    from = position;
  }
  return result + code.slice(from);
}

function createToOriginal(source, edits) {
  const places = edits.map(({ position, text }) => ({ ...source.getLineAndCharacterOfPosition(position), text }));
  return ({ line, character }) => {
    let column = character;
    for (const place of places) {
      if (place.line !== line || place.character >= column) continue;
      column = Math.max(place.character, column - place.text.length);
    }
    return { line, character: column };
  };
}

module.exports = { createRewrite };
