// GraphiQL over our own end point: queries and mutations by POST, subscriptions by graphql-transport-ws.
"use strict";

// Short lines: the editor's buttons cover what is right of them.
const START = `# Sign in at /login first, or put a
# token into "Headers" below:
# {"Authorization":"Bearer nst_..."}
query WhoAmI {
  viewer {
    role
    scope
    language
    businessNow
    staff {
      name
    }
  }
}
`;

async function post(request, headers) {
  const answer = await fetch("/graphql", {
    method: "POST",
    credentials: "same-origin",
    headers: { "content-type": "application/json", accept: "application/graphql-response+json", ...headers },
    body: JSON.stringify(request),
  });
  return answer.json();
}

async function* listen(request, headers) {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const socket = new WebSocket(`${scheme}//${location.host}/graphql`, "graphql-transport-ws");
  const waiting = [];
  let wake = () => {};
  const put = (item) => {
    waiting.push(item);
    wake();
  };
  socket.onopen = () => socket.send(JSON.stringify({ type: "connection_init", payload: headers }));
  socket.onclose = (event) => put({ type: "closed", payload: event.reason || String(event.code) });
  socket.onmessage = (event) => {
    const message = JSON.parse(event.data);
    if (message.type === "connection_ack") {
      socket.send(JSON.stringify({ id: "1", type: "subscribe", payload: request }));
    } else if (message.type === "ping") {
      socket.send(JSON.stringify({ type: "pong" }));
    } else {
      put(message);
    }
  };
  try {
    for (;;) {
      if (!waiting.length) await new Promise((resolve) => (wake = resolve));
      const message = waiting.shift();
      if (!message) continue;
      if (message.type === "next") yield message.payload;
      else if (message.type === "error") return yield { errors: message.payload };
      else if (message.type === "closed") return yield { errors: [{ message: `Closed: ${message.payload}` }] };
      else if (message.type === "complete") return;
    }
  } finally {
    socket.close(1000);
  }
}

function fetcher(request, options = {}) {
  const operations = (options.documentAST?.definitions ?? []).filter((node) => node.kind === "OperationDefinition");
  const chosen =
    operations.find((node) => !request.operationName || node.name?.value === request.operationName) ?? operations[0];
  const headers = options.headers ?? {};
  return chosen?.operation === "subscription" ? listen(request, headers) : post(request, headers);
}

ReactDOM.createRoot(document.getElementById("graphiql")).render(
  React.createElement(GraphiQL, { fetcher, defaultQuery: START, shouldPersistHeaders: false }),
);
