/** Showing results in notebooks: the only folder that knows their kernels. */
export { configure, type NotebookSettings } from "./configure.js";
export { type Display, type DisplayBundle, type DisplaySlot, hostDisplay } from "./display.js";
export { progress } from "./progress.js";
export { type ShowInput, Shown, type ShowOptions, show } from "./show.js";
export { type HasView, type Showable, type ShowableTensor, toView } from "./to-view.js";
