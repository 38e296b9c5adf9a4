/** The two looks of a drawing: colours that carry no data, and type faces. */

/** Light: dark ink on white. Dark: light ink on near black. */
export type Theme = "dark" | "light";

/** Colours by what they are for; marks name them and renderers fill them in. */
export type Paint = "accent" | "ground" | "ink" | "quiet" | "rule";

/** The colours of each theme; text reaches WCAG AA (4.5 to 1) on its ground. */
export const palettes: Readonly<Record<Theme, Readonly<Record<Paint, string>>>> = {
  light: { ground: "#ffffff", ink: "#1b1f24", quiet: "#5b6470", rule: "#d8dce1", accent: "#b3420b" },
  dark: { ground: "#16191d", ink: "#e8eaed", quiet: "#a3adb8", rule: "#3a4149", accent: "#ffb454" },
};

/** Faces and sizes, in pixels. */
export const type: {
  readonly sans: string;
  readonly mono: string;
  readonly labelSize: number;
  readonly margin: number;
} = {
  sans: "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif",
  mono: "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace",
  labelSize: 12,
  margin: 16,
};

/** Returns the colour that `paint` stands for: one of the theme's, or itself when it is a colour already. */
export function resolvePaint(paint: string, theme: Theme): string {
  return isPaint(paint) ? palettes[theme][paint] : paint;
}

function isPaint(paint: string): paint is Paint {
  return Object.hasOwn(palettes.light, paint);
}
