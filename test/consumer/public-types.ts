/** Walks every exported type of the package with TypeScript 5.0.4 and reports what notebook users must not meet. */
import { join } from "node:path";
import ts from "@tslab/typescript-for-tslab";
import { compile, root } from "./cell-compiler.js";

/** Globals of Node's or the browser's declarations that are web standards and exist wherever notebooks run. */
const allowedGlobals = new Set(["AbortSignal", "Symbol", "SymbolConstructor"]);

interface Walk {
  readonly checker: ts.TypeChecker;
  /** Folder of the declarations that are ours. */
  readonly own: string;
  readonly seen: Set<ts.Type>;
  readonly problems: string[];
}

/** Returns the problems of the package's public types, each with the path on which it is met. */
export function findProblems(): readonly string[] {
  return problemsOf(compile('export * from "limpid";', true), join(root, "dist"));
}

/** Returns the problems of declaration files in memory; those of the i-th are prefixed with `p<i>.` */
export function findProblemsIn(declarations: readonly string[]): readonly string[] {
  const files = new Map(declarations.map((text, i) => [join(root, "notebooks", `__probe${i}__.d.ts`), text]));
  const main = declarations.map((_, i) => `export * as p${i} from "./__probe${i}__";`).join("\n");
  return problemsOf(compile(main, true, files), join(root, "notebooks"));
}

function problemsOf(program: ts.Program, own: string): readonly string[] {
  const checker = program.getTypeChecker();
  const main = program.getSourceFile(join(root, "notebooks", "__cells__.ts"));
  const module = main && checker.getSymbolAtLocation(main);
  const exports = module ? checker.getExportsOfModule(module) : [];
  const walk: Walk = { checker, own, seen: new Set(), problems: exports.length === 0 ? ["nothing is exported"] : [] };
  for (const symbol of exports) visitSymbol(walk, symbol, symbol.name);
  return walk.problems;
}

function visitSymbol(walk: Walk, exported: ts.Symbol, path: string): void {
  const { checker } = walk;
  const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported;
  if (symbol.flags & ts.SymbolFlags.ValueModule) {
    for (const member of checker.getExportsOfModule(symbol)) visitSymbol(walk, member, `${path}.${member.name}`);
    return;
  }
  const declaration = symbol.declarations?.[0];
  if (symbol.flags & ts.SymbolFlags.Value && declaration)
    visit(walk, checker.getTypeOfSymbolAtLocation(symbol, declaration), path);
  if (symbol.flags & ts.SymbolFlags.Type) visit(walk, checker.getDeclaredTypeOfSymbol(symbol), path);
}

function visit(walk: Walk, type: ts.Type, path: string): void {
  if (type.flags & ts.TypeFlags.Any) {
    walk.problems.push(`${path}: any`);
    return;
  }
  if (walk.seen.has(type)) return;
  walk.seen.add(type);
  for (const argument of type.aliasTypeArguments ?? []) visit(walk, argument, `${path}<>`);
  if (type.isUnionOrIntersection()) {
    for (const part of type.types) visit(walk, part, path);
    return;
  }
  if (type.flags & ts.TypeFlags.TypeParameter) visitConstraint(walk, type, path);
  if (type.flags & ts.TypeFlags.Object) visitObject(walk, type as ts.ObjectType, path);
}

function visitConstraint(walk: Walk, type: ts.Type, path: string): void {
  const constraint = walk.checker.getBaseConstraintOfType(type);
  if (constraint && constraint !== type) visit(walk, constraint, `${path} extends`);
}

/** Walks a generic type once, as declared, and the arguments of each use: uses of recursive generics have no end. */
function visitObject(walk: Walk, used: ts.ObjectType, path: string): void {
  if (used.objectFlags & ts.ObjectFlags.Reference) {
    for (const argument of writtenArguments(walk, used as ts.TypeReference)) visit(walk, argument, `${path}<>`);
  }
  const type = declaredForm(used);
  if (type !== used && walk.seen.has(type)) return;
  walk.seen.add(type);
  const origin = originOf(walk, type);
  if (origin === "foreign")
    walk.problems.push(`${path}: ${walk.checker.typeToString(used)}, declared by another package`);
  if (origin !== "own") return;
  for (const property of walk.checker.getPropertiesOfType(type)) visitProperty(walk, property, path);
  for (const signature of [...type.getCallSignatures(), ...type.getConstructSignatures()])
    visitSignature(walk, signature, path);
  for (const info of walk.checker.getIndexInfosOfType(type)) visit(walk, info.type, `${path}[]`);
}

/** Iterators of TypeScript 5.0's own library return `any` unless told otherwise; only what they yield is ours. */
function writtenArguments(walk: Walk, type: ts.TypeReference): readonly ts.Type[] {
  const all = walk.checker.getTypeArguments(type);
  return /^(?:Async)?(?:Iterator|Generator)$/.test(type.symbol?.name ?? "") ? all.slice(0, 1) : all;
}

/** The compiler keeps a generic type's declared form as `target` of each instantiation, anonymous ones included. */
function declaredForm(type: ts.ObjectType): ts.ObjectType {
  const isInstantiation = type.objectFlags & (ts.ObjectFlags.Reference | ts.ObjectFlags.Instantiated);
  return isInstantiation ? ((type as ts.ObjectType & { readonly target?: ts.ObjectType }).target ?? type) : type;
}

/** Ours, the language's own library, or somebody else's (Node's types, onnxruntime's, protobuf's). */
function originOf(walk: Walk, type: ts.Type): "foreign" | "library" | "own" {
  const symbol = type.aliasSymbol ?? type.getSymbol();
  const files = symbol?.declarations?.map((declaration) => declaration.getSourceFile().fileName) ?? [];
  if (files.length === 0 || files.some((file) => file.startsWith(`${walk.own}/`))) return "own";
  if (files.some((file) => /\/lib\.[\w.]+\.d\.ts$/.test(file))) return "library";
  return allowedGlobals.has(symbol?.name ?? "") ? "library" : "foreign";
}

function visitProperty(walk: Walk, property: ts.Symbol, path: string): void {
  const declaration = property.valueDeclaration ?? property.declarations?.[0];
  // Inherited from the language's library (`Error.stack`), or not part of the public face.
  if (declaration && !declaration.getSourceFile().fileName.startsWith(`${walk.own}/`)) return;
  if (declaration && ts.getCombinedModifierFlags(declaration) & ts.ModifierFlags.Private) return;
  const place = declaration ?? property.declarations?.[0];
  if (place === undefined || /^(#|__#)/.test(property.name)) return;
  visit(walk, walk.checker.getTypeOfSymbolAtLocation(property, place), `${path}.${property.name}`);
}

function visitSignature(walk: Walk, signature: ts.Signature, path: string): void {
  for (const parameter of signature.parameters) {
    const declaration = parameter.valueDeclaration;
    if (declaration)
      visit(walk, walk.checker.getTypeOfSymbolAtLocation(parameter, declaration), `${path}(${parameter.name})`);
  }
  for (const parameter of signature.typeParameters ?? []) visit(walk, parameter, `${path}<${parameter.symbol.name}>`);
  visit(walk, signature.getReturnType(), `${path}()`);
}
