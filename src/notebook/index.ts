/** Showing results in notebooks: the only folder that knows their kernels. */
export { type Display, type DisplayBundle, hostDisplay } from "./display.js";
export { Shown, show } from "./show.js";
export { type HasView, type Showable, type ShowableTensor, toView } from "./to-view.js";
