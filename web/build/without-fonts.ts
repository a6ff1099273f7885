// GraphiQL's style sheet carries 360 kB of fonts as data: addresses. The system's fonts do, and the policy stays strict.

import type { Plugin } from "vite";

/** A style sheet without its embedded fonts. */
export function stripFonts(css: string): string {
  return css.replaceAll(/@font-face\s*\{[^}]*\}/g, "");
}

/** Before other plugins see the sheet. */
export function withoutFonts(): Plugin {
  return {
    name: "outboard:without-fonts",
    enforce: "pre",
    transform(code, id) {
      return /\/graphiql\/dist\/style\.css$/.test(id) ? { code: stripFonts(code), map: null } : undefined;
    },
  };
}
