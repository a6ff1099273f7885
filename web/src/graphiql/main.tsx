// GraphiQL for this host: queries over HTTP, subscriptions over one WebSocket (graphql-transport-ws). If the host
// requires a token, it is entered at the top and sent with both.

import "graphiql/style.css";
import "./graphiql.css";

import { createGraphiQLFetcher } from "@graphiql/toolkit";
import { GraphiQL } from "graphiql";
import { createClient } from "graphql-ws";
import { type FormEvent, StrictMode, useEffect, useMemo, useState } from "react";
import { createRoot } from "react-dom/client";
import { EXAMPLE } from "./example.ts";
import { credentials, keepToken, token } from "./token.ts";

function connect() {
  const url = new URL("/graphql", location.href);
  url.protocol = url.protocol.replace("http", "ws");
  return createClient({ url: url.href, lazy: true, connectionParams: () => credentials() });
}

function Explorer() {
  const [socket] = useState(connect);
  useEffect(() => () => void socket.dispose(), [socket]);
  const fetcher = useMemo(
    () => createGraphiQLFetcher({ url: "/graphql", wsClient: socket, headers: credentials() }),
    [socket],
  );
  // Variables may contain stream keys, so GraphiQL's state is kept in this tab only.
  return (
    <GraphiQL fetcher={fetcher} storage={sessionStorage} defaultQuery={EXAMPLE} showPersistHeadersSettings={false}>
      <GraphiQL.Logo>
        <a href="/">Outboard</a>
      </GraphiQL.Logo>
    </GraphiQL>
  );
}

function Page() {
  // A new token needs a new connection, and the schema is loaded again with it.
  const [round, setRound] = useState(0);
  const [known, setKnown] = useState(token() !== "");
  const use = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = event.currentTarget;
    keepToken(String(new FormData(form).get("token") ?? ""));
    form.reset();
    setKnown(token() !== "");
    setRound(round + 1);
  };
  return (
    <>
      <form className="token" onSubmit={use}>
        <label htmlFor="token">Token</label>
        <input
          id="token"
          name="token"
          type="password"
          autoComplete="off"
          spellCheck={false}
          placeholder={known ? "set; submit an empty field to remove it" : "none; a server on loopback only needs none"}
        />
        <button type="submit">{known ? "Replace" : "Use"}</button>
        <span className="kept">removed when this tab is closed</span>
      </form>
      <Explorer key={round} />
    </>
  );
}

const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <Page />
    </StrictMode>,
  );
}
