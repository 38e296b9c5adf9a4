/** Lint rules: real bugs, names, public documentation, size budgets. Formatting is Biome's. */
import jsdoc from "eslint-plugin-jsdoc";
import tseslint from "typescript-eslint";

/** Weights, and the factors of matrices, keep the notation of the papers: `W_Q`, `U S V`, `OV`. */
const weightName = "^(?:[Wb]_[A-Za-z]+|[ABQRSTUV]|AB|BA|QK|OV)$";

const naming = [
  {
    selector: "default",
    format: ["camelCase"],
    leadingUnderscore: "allow",
    filter: { regex: weightName, match: false },
  },
  { selector: "variable", modifiers: ["destructured"], format: null },
  { selector: "typeLike", format: ["PascalCase"] },
  // Short names of hook points are TransformerLens's, verbatim.
  {
    selector: "typeProperty",
    format: null,
    filter: { regex: "^(?:(?:resid|attn|mlp|rot|pre|pos)_[a-z]+|[qkv]_input)$", match: true },
  },
  { selector: "import", format: null },
  // Keys of tables are data: op names, hook names, fields of files.
  { selector: ["objectLiteralProperty", "objectLiteralMethod"], format: null },
  { selector: ["typeProperty", "classProperty", "typeMethod"], modifiers: ["requiresQuotes"], format: null },
];

const publicDocs = {
  publicOnly: true,
  require: { ClassDeclaration: true, FunctionDeclaration: true, MethodDefinition: true },
  checkConstructors: false,
  checkGetters: true,
  contexts: [
    "ExportNamedDeclaration > TSInterfaceDeclaration",
    "ExportNamedDeclaration > TSTypeAliasDeclaration",
    "ExportNamedDeclaration > VariableDeclaration",
  ],
};

const budgets = {
  "max-lines-per-function": ["error", { max: 60, skipBlankLines: true, skipComments: true }],
  "max-lines": ["error", { max: 500 }],
  "max-params": ["error", 4],
  complexity: ["error", 12],
};

export default tseslint.config(
  { ignores: ["dist", "out", "coverage", "node_modules", ".cache", "fixtures", "src/viz/client"] },
  {
    files: ["src/**/*.ts", "test/**/*.ts", "bench/**/*.ts", "scripts/**/*.ts", "vitest.config.ts"],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: { allowDefaultProject: ["vitest.config.ts"] } } },
    plugins: { jsdoc },
    rules: {
      "@typescript-eslint/naming-convention": ["error", ...naming],
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_", varsIgnorePattern: "^_" }],
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true, allowBoolean: true }],
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
      "@typescript-eslint/switch-exhaustiveness-check": ["error", { considerDefaultExhaustiveForUnions: true }],
      // Index access is `T | undefined` by compiler option, and guards for it are often unprovable or belt and braces.
      "@typescript-eslint/no-unnecessary-condition": "off",
      "@typescript-eslint/no-unnecessary-type-parameters": "off",
      "@typescript-eslint/unified-signatures": "off",
      "no-constant-binary-expression": "error",
      eqeqeq: "error",
      ...budgets,
    },
  },
  {
    files: ["src/**/*.ts"],
    settings: { jsdoc: { tagNamePreference: { template: "typeParam" } } },
    rules: {
      "jsdoc/require-jsdoc": ["error", publicDocs],
      "jsdoc/no-types": "error",
      "jsdoc/check-param-names": ["error", { checkDestructured: false, disableMissingParamChecks: true }],
      "jsdoc/check-tag-names": ["error", { typed: true, definedTags: ["typeParam"] }],
      "no-console": "error",
    },
  },
  {
    files: ["test/**/*.ts", "bench/**/*.ts"],
    rules: {
      "max-lines-per-function": "off",
      "max-lines": "off",
      "@typescript-eslint/unbound-method": "off",
      // Named axes make many casts in tests look redundant that older compilers need.
      "@typescript-eslint/no-unnecessary-type-assertion": "off",
    },
  },
  {
    files: ["**/*.js", "**/*.mjs", "**/*.cjs"],
    rules: { eqeqeq: "error", "no-undef": "off", "no-unused-vars": "error", ...budgets },
  },
);
