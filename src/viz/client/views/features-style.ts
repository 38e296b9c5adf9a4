/** The style sheet of feature cards; colours are the view's own variables. It fits phones. */
import { type as face } from "../../theme.js";

/** The rules, inside the view's shadow root. */
export const featuresStyle: string = `
.features{max-width:1000px}
.features .area{position:relative;line-height:0}
.features .area svg{max-width:100%;height:auto}
.features .overview{display:flex;flex-wrap:wrap;gap:12px 28px;margin-top:8px}
.features .map{flex:1 1 320px;min-width:0;max-width:640px;cursor:crosshair}
.features .list{flex:1 1 250px;min-width:0}
.features .find{display:flex;flex-wrap:wrap;gap:6px;margin:6px 0}
.features input{font:inherit;color:var(--ink);background:var(--ground);border:1px solid var(--rule);border-radius:4px;padding:3px 8px;flex:1 1 100px;min-width:0}
.features .found{height:206px;overflow-y:auto;border:1px solid var(--rule);border-radius:4px}
.features .found button{display:flex;flex-wrap:wrap;gap:0 10px;width:100%;border:0;border-radius:0;padding:3px 8px;text-align:left;border-bottom:1px solid var(--rule)}
.features .found b{min-width:4ch;font-variant-numeric:tabular-nums}
.features .found span{color:var(--quiet)}
.features .found i{font-style:normal;font-family:${face.mono};overflow-wrap:anywhere}
.features .found .none b{font-weight:400;color:var(--quiet)}
.features .found [aria-selected=true]{box-shadow:inset 3px 0 var(--accent)}
.features .steps{display:flex;flex-wrap:wrap;gap:6px 12px;align-items:center;margin:14px 0 4px;color:var(--quiet)}
.features .steps:empty{display:none}
.features button:disabled{opacity:.4;cursor:default}
.features h4{margin:10px 0 0;font:600 15px/22px ${face.sans}}
.features h5{margin:14px 0 4px;font:600 12px/18px ${face.sans}}
.features h5 span{font-weight:400;color:var(--quiet);margin-left:8px}
.features .parts{display:flex;flex-wrap:wrap;gap:14px 28px;margin-top:10px;align-items:flex-start}
.features .small{flex:0 1 302px;min-width:0}
.features .words{min-width:112px}
.features .words caption{text-align:left;font-weight:600;padding-bottom:3px}
.features .words td{padding:1px 10px 1px 0;border-bottom:0}
.features .words td button{padding:0 5px}
.features .examples{position:relative;margin-top:4px}
.features .example{display:flex;gap:10px;padding:2px 0;border-radius:3px}
.features .peak{flex:0 0 5ch;text-align:right;color:var(--quiet);font-variant-numeric:tabular-nums;line-height:22px}
.features .text{min-width:0;line-height:22px}
.features .text .token{font-size:13px;padding:2px 0;border-radius:3px;white-space:pre-wrap;overflow-wrap:anywhere}
.features .text .at{outline:1px solid var(--accent);outline-offset:-1px}
.features .help{margin-top:14px;white-space:pre-wrap}
.features .tip{max-width:260px}
@media(max-width:560px){.features .words{min-width:0;flex:1 1 40%}.features .small{flex-basis:100%}}`;
