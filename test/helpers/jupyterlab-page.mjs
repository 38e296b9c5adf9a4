/** Runs in a page: shows outputs of a notebook in JupyterLab's own output area. */
import { OutputArea, OutputAreaModel } from "@jupyterlab/outputarea";
import { RenderMimeRegistry, standardRendererFactories } from "@jupyterlab/rendermime";
import { Widget } from "@lumino/widgets";

globalThis.showOutputs = (values, trusted) => {
  const rendermime = new RenderMimeRegistry({ initialFactories: standardRendererFactories });
  Widget.attach(new OutputArea({ model: new OutputAreaModel({ values, trusted }), rendermime }), document.body);
};
