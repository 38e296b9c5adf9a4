/** Sparse dictionaries: SAEs, transcoders, crosscoders. */
export { type Dictionary, type DictionaryFeature, openDictionary } from "./open.js";
