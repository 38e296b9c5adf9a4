/** Texts, tables and token files as datasets and batches, and generated tasks. */
export { type Batch, type Batches, type BatchReport, type Segment } from "./batches.js";
export { type Data, data, type FileDocument, type FileOptions } from "./data.js";
export { Dataset, type SplitOptions } from "./dataset.js";
export type { DocumentTokens, LabelledDocument, RowDocument, TextDocument, TokenDocument } from "./document.js";
export type { ModelLike } from "./model-like.js";
export type { PackOptions } from "./pack.js";
export type { PadOptions } from "./pad.js";
export type { Row } from "./rows.js";
export type { Entry } from "./source.js";
export type { SplitFractions } from "./split.js";
export type { Awaitable, DocumentPlace } from "./stages.js";
export type {
  AgreementOptions,
  AgreementRole,
  BracketKind,
  BracketsOptions,
  BracketsRole,
  CapitalFact,
  CapitalsOptions,
  CapitalsRole,
  CopyingOptions,
  CopyingRole,
  GrammaticalNumber,
  GreaterThanOptions,
  GreaterThanRole,
  IoiCorruption,
  IoiOptions,
  IoiOrder,
  IoiRole,
  NounForms,
  PromptPairs,
  RepeatedOptions,
  RepeatedRole,
  SkippedItem,
  SkippedPair,
  TaskAnswer,
  TaskCounts,
  TaskLabels,
  TaskLists,
  TaskOptions,
  TaskPair,
  TaskPairs,
  TaskPrompt,
  TaskReport,
  TaskScore,
  TaskSource,
  Tasks,
  TaskTokenizer,
  TemplateOptions,
  VocabularySource,
} from "./tasks.js";
export { tasks } from "./tasks.js";
export type { TableFileOptions, TextFileOptions } from "./text-files.js";
export type { TokenFileOptions } from "./token-source.js";
export type { TokenizerLike, TokenizerSource } from "./tokenizer-like.js";
