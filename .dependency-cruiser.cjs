/** Layers: imports go down only, a folder is entered through its index.ts, some packages have one home. */

const base = ["core", "tensor", "linalg", "stats", "io", "graph"];
const model = [...base, "autodiff", "runtime", "viz", "model"];
const analysis = [...model, "train", "data", "analysis"];

/** What each folder of src may import from the others. */
const layers = {
  core: [],
  tensor: ["core"],
  linalg: ["core", "tensor"],
  stats: ["core", "tensor"],
  io: ["core", "tensor"],
  graph: ["core", "tensor"],
  autodiff: base,
  runtime: base,
  train: [...base, "autodiff", "runtime", "viz"],
  viz: ["core", "tensor"],
  model: model.filter((folder) => folder !== "model"),
  data: model,
  analysis: analysis.filter((folder) => folder !== "analysis"),
  dictionary: [...model, "train"],
  circuits: [...analysis, "dictionary"],
  masks: analysis,
  redundancy: analysis,
  notebook: ["viz", "core"],
};

const layerRules = Object.entries(layers).map(([folder, allowed]) => ({
  name: `layer-${folder}`,
  severity: "error",
  comment: `src/${folder} may import only: ${allowed.join(", ") || "nothing"}.`,
  from: { path: `^src/${folder}/` },
  to: { path: "^src/", pathNot: `^src/(${[folder, ...allowed].join("|")})/` },
}));

/** Only files below `home` may import the packages that `pattern` matches. */
function home(name, folder, pattern) {
  return {
    name: `only-${folder}-knows-${name}`,
    severity: "error",
    from: { path: "^src/", pathNot: `^src/${folder}/` },
    to: { path: `(^|/)node_modules/${pattern}` },
  };
}

module.exports = {
  forbidden: [
    ...layerRules,
    {
      name: "one-door",
      severity: "error",
      comment: "A folder is entered only through its index.ts.",
      from: { path: "^src/([^/]+)/" },
      to: { path: "^src/[^/]+/", pathNot: ["^src/$1/", "^src/[^/]+/index[.]ts$"] },
    },
    {
      name: "top-door",
      severity: "error",
      comment: "The package is assembled from the folders' doors.",
      from: { path: "^src/index[.]ts$" },
      to: { path: "^src/[^/]+/", pathNot: "^src/[^/]+/index[.]ts$" },
    },
    {
      name: "no-cycles",
      severity: "error",
      comment: "Cycles of types alone are harmless: nothing of them is left at run time.",
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
    },
    { name: "no-lost-imports", severity: "error", from: {}, to: { couldNotResolve: true } },
    {
      name: "no-development-packages",
      severity: "error",
      from: { path: "^src/" },
      to: { dependencyTypes: ["npm-dev", "npm-no-pkg", "npm-unknown"], pathNot: "node_modules/@types/" },
    },
    home("onnxruntime", "runtime", "onnxruntime-(node|common|web)/"),
    home("tslab", "notebook", "(@tslab|tslab)/"),
    home("protobuf", "graph", "(onnx-buf|@bufbuild)/"),
    home("ml-matrix", "linalg", "ml-matrix/"),
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "^src/viz/client/" },
    tsConfig: { fileName: "tsconfig.json" },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["types", "import", "default"] },
  },
};
