// The web UI: monitor, control and inspect live pipelines. Uses only GraphQL, of the host that served the page.

import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/overlays.css";

import { mount } from "svelte";
import { begin } from "./api/session.svelte.ts";
import App from "./app/App.svelte";
import { startRouter } from "./app/router.svelte.ts";

const target = document.getElementById("app");
if (target) {
  startRouter();
  mount(App, { target });
  void begin();
}
