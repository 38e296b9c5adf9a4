"use strict";
/**
 * Rewrites what tslab 1.0.22 miscompiles, with tslab's own TypeScript, without moving any line.
 *
 * - `{ x }` with `x` from an earlier cell throws "x is not defined": becomes `{ x: x }`.
 * - `const { k: v } = o` with `o` from an earlier cell fails to compile: becomes `const { ["k"]: v } = o`.
 * - `await (…)`, `await […]` or `for await` as the only top-level await is not seen: the cell gets an `await 0;` first.
 */

/** Returns a function from a cell's code to the code that tslab should run. */
function createFix(ts) {
  return (code) => {
    const source = ts.createSourceFile(
      "cell.ts",
      `${code}\nexport {};`,
      ts.ScriptTarget.Latest,
      true,
      ts.ScriptKind.TS,
    );
    if (source.parseDiagnostics.length > 0) return code;
    return applyEdits(code, collectEdits(ts, source));
  };
}

/** An edit is `[position, text to insert]`. */
function collectEdits(ts, source) {
  const edits = [];
  let hasTopLevelAwait = false;
  const visit = (node, isTopLevel) => {
    if (ts.isShorthandPropertyAssignment(node) && node.objectAssignmentInitializer === undefined) {
      edits.push([node.name.end, `: ${node.name.text}`]);
    }
    if (ts.isBindingElement(node) && node.propertyName !== undefined && ts.isIdentifier(node.propertyName)) {
      edits.push([node.propertyName.getStart(source), '["'], [node.propertyName.end, '"]']);
    }
    if (isTopLevel && isAwait(ts, node)) hasTopLevelAwait = true;
    const isInner = isTopLevel && !ts.isFunctionLike(node) && !ts.isClassLike(node);
    ts.forEachChild(node, (child) => visit(child, isInner));
  };
  visit(source, true);
  const first = source.statements[0];
  if (hasTopLevelAwait && first !== undefined) edits.push([first.getStart(source), "await 0;"]);
  return edits;
}

function isAwait(ts, node) {
  return ts.isAwaitExpression(node) || (ts.isForOfStatement(node) && node.awaitModifier !== undefined);
}

function applyEdits(code, edits) {
  let text = code;
  // From the end, so that earlier positions stay valid.
  for (const [position, insert] of edits.toSorted((a, b) => b[0] - a[0])) {
    text = text.slice(0, position) + insert + text.slice(position);
  }
  return text;
}

module.exports = { createFix };
