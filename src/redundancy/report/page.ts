/** A report as one page: pictures and sentences, offline, in light and dark, from phone width on. */
import type { View } from "../../viz/index.js";
import type { ReportContent } from "./content.js";
import { claimSentence, cutSentence, methodSentences, scoreSentence } from "./sentences.js";
import {
  agreementView,
  cutsView,
  depthView,
  disagreementView,
  effectsView,
  frontierView,
  headsView,
  mapView,
  neuronsView,
  scoresView,
  similarityView,
  tasksView,
} from "./views.js";

const style = `
:root{color-scheme:light dark}
body{margin:0;background:#fff;color:#1c2128;font:16px/1.55 system-ui,sans-serif}
main{max-width:960px;margin:0 auto;padding:24px 16px 64px}
h1{font-size:1.6rem;line-height:1.25}h2{font-size:1.15rem;margin-top:2.2em}
.picture{overflow-x:auto}.picture img{max-width:none}.wide>div{min-width:640px}
pre{overflow-x:auto;background:#f3f4f6;padding:10px;border-radius:6px}
li{margin:.35em 0;overflow-wrap:anywhere}
@media(prefers-color-scheme:dark){body{background:#121416;color:#dfe3e8}pre{background:#1e2226}}`;

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function list(sentences: readonly string[]): string {
  return `<ul>${sentences.map((one) => `<li>${escape(one)}</li>`).join("")}</ul>`;
}

interface Section {
  readonly title: string;
  readonly text: string;
  readonly views: readonly (View | undefined)[];
}

function sectionsOf(content: ReportContent): readonly Section[] {
  const paragraph = (text: string): string => `<p>${escape(text)}</p>`;
  return [
    { title: "What can go", text: list(content.cuts.map(cutSentence)), views: [cutsView(content)] },
    {
      title: "The map",
      text: paragraph(
        "The loss without each part, on the same tokens. Blue costs most; red means that the loss falls.",
      ),
      views: [mapView(content), scoresView(content)],
    },
    {
      title: "The frontier",
      text: paragraph("Parts go one after another in the order of each method; random orders are the control."),
      views: [frontierView(content), tasksView(content)],
    },
    {
      title: "Where scores disagree",
      text: paragraph(scoreSentence(content)),
      views: [disagreementView(content), agreementView(content)],
    },
    { title: "Claims of papers", text: list(content.claims.map(claimSentence)), views: [] },
    {
      title: "Use of depth",
      text: paragraph(
        "What the model would predict after its first layers; by how much later layers write something else when one is skipped; how alike the streams are.",
      ),
      views: [depthView(content), effectsView(content), similarityView(content)],
    },
    {
      title: "Heads and neurons",
      text: paragraph(
        "Measured on the windows of the search. Neurons are ranked by AMP, weighted: mean activation times the size of what they write.",
      ),
      views: [headsView(content), neuronsView(content)],
    },
    {
      title: "How it was made",
      text: `${list(methodSentences(content))}<pre>${escape(content.provenance.command)}</pre>`,
      views: [],
    },
  ];
}

/** Returns the page. */
export function reportPage(content: ReportContent): string {
  const { model, loss } = content;
  let isFirst = true;
  const picture = (view: View | undefined): string => {
    if (view === undefined) return "";
    const html = view.toHtml({ allViews: true, runtime: isFirst });
    isFirst = false;
    return `<div class="picture${view.spec.view === "table" ? " wide" : ""}">${html}</div>`;
  };
  const sections = sectionsOf(content).filter(({ text, views }) => text !== "<ul></ul>" || views.length > 0);
  const body = sections.map(
    ({ title, text, views }) => `<section><h2>${escape(title)}</h2>${text}${views.map(picture).join("")}</section>`,
  );
  const title = escape(`What ${model.id} could lose`);
  const lead = `${model.layers} layers of ${model.heads} heads, ${(model.parameters / 1e6).toFixed(2)} million parameters; ${loss.toFixed(3)} nats a token.`;
  const head = `<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title}</title><style>${style}</style>`;
  return `<!doctype html>\n<html lang="en"><head>${head}</head><body><main><h1>${title}</h1><p>${escape(lead)}</p>${body.join("")}</main></body></html>\n`;
}
