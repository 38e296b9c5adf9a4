/** The style sheet inside each view's shadow root. Nothing moves, so reduced motion needs no rule. */
import { type as face, palettes, type Theme } from "../theme.js";

/** Returns the style sheet. */
export function styleSheet(): string {
  const variables = (theme: Theme): string =>
    Object.entries(palettes[theme])
      .map(([name, color]) => `--${name}:${color}`)
      .join(";");
  return `
:host{display:block;all:initial}
.view{${variables("light")};display:inline-block;box-sizing:border-box;padding:${face.margin}px;background:var(--ground);color:var(--ink);font:12px/1.45 ${face.sans};text-align:left}
.view[data-theme=dark]{${variables("dark")};color-scheme:dark}
.view .view{padding:0}
h3{margin:0;font:600 15px/22px ${face.sans}}
p{margin:0;line-height:18px;color:var(--quiet)}
.bar{display:flex;flex-wrap:wrap;gap:6px 14px;align-items:center;margin:6px 0 8px;color:var(--quiet)}
.bar label{display:inline-flex;gap:6px;align-items:center}
button,select{font:inherit;color:var(--ink);background:var(--ground);border:1px solid var(--rule);border-radius:4px;padding:2px 8px;cursor:pointer}
button:hover,select:hover{border-color:var(--quiet)}
:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
.plot{position:relative;display:inline-block;line-height:0;cursor:default;border-radius:2px}
.pictures canvas{position:absolute;image-rendering:pixelated;image-rendering:crisp-edges;image-rendering:pixelated}
svg{position:relative;display:block;overflow:visible}
svg text{white-space:pre}
.tip{position:absolute;z-index:2;max-width:420px;padding:6px 9px;background:var(--ground);border:1px solid var(--quiet);border-radius:4px;box-shadow:0 2px 8px #0004;pointer-events:none;line-height:1.45;white-space:nowrap}
.tip b{display:block;font-weight:600;overflow:hidden;text-overflow:ellipsis}
.tip div{display:flex;justify-content:space-between;gap:14px}
.tip span:first-child{color:var(--quiet);overflow:hidden;text-overflow:ellipsis}
.tip span:last-child{font-variant-numeric:tabular-nums;font-family:${face.mono}}
.tip i{color:var(--quiet);font-style:normal}
.status{min-height:17px;margin-top:4px;color:var(--quiet);white-space:pre-wrap;width:0;min-width:100%}
.rows{max-height:360px;overflow:auto;margin-top:8px;max-width:860px}
table{border-collapse:collapse;font:12px/1.4 ${face.sans}}
th,td{padding:3px 12px 3px 0;border-bottom:1px solid var(--rule);text-align:left;white-space:pre-wrap;font-weight:400;max-width:48ch;overflow-wrap:anywhere}
th{position:sticky;top:0;background:var(--ground);font-weight:600;border-bottom-color:var(--quiet)}
th button{border:0;padding:0;font-weight:600;background:none}
.number{text-align:right;font-variant-numeric:tabular-nums}
.token{font-family:${face.mono}}
.panels{margin-top:14px;display:flex;flex-wrap:wrap;gap:28px;max-width:1060px}
.desk{max-width:1060px}
.desk:empty{display:none}
.desk input[type=search],.desk input[type=text]{font:inherit;color:var(--ink);background:var(--ground);border:1px solid var(--rule);border-radius:4px;padding:2px 8px}
.cards{display:flex;flex-wrap:wrap;gap:10px}
.card{border:1px solid var(--rule);border-radius:4px;padding:4px 10px 8px;max-width:330px}
.card .number{white-space:nowrap}
.card .detail{white-space:pre-wrap;overflow-wrap:anywhere}
[hidden]{display:none!important}`;
}
