import { fileURLToPath } from "node:url";
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";
import { compressed } from "./build/compressed.ts";
import { docs } from "./build/docs.ts";
import { licences } from "./build/licences.ts";
import { weight } from "./build/weight.ts";
import { withoutFonts } from "./build/without-fonts.ts";

/** Where `npm run dev` sends what is not a page: a running `outboard serve`. */
const HOST = process.env.OUTBOARD_URL ?? "http://127.0.0.1:3000";

export default defineConfig({
  publicDir: false,
  plugins: [
    svelte(),
    withoutFonts(),
    licences(),
    docs(fileURLToPath(new URL("..", import.meta.url))),
    compressed(),
    weight("index.html"),
  ],
  build: {
    outDir: process.env.OUTBOARD_WEB_DIST ?? "dist",
    emptyOutDir: true,
    target: "es2022",
    // The host's policy allows no data: addresses for scripts, styles and fonts; everything is a file of its own.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // GraphiQL with its editor is one large chunk; it is a page of its own.
    chunkSizeWarningLimit: 1100,
    rollupOptions: {
      input: ["index.html", "graphiql.html"],
      // Dependencies mark their client code with "use client", which means nothing here.
      onwarn: (warning, warn) => warning.code === "MODULE_LEVEL_DIRECTIVE" || warn(warning),
    },
  },
  server: {
    proxy: {
      "^/(graphql|api|preview|metrics|docs)": { target: HOST, ws: true },
    },
  },
  test: { include: ["src/**/*.test.ts", "build/**/*.test.ts"] },
});
