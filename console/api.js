// The page at /_console/api: every action as the router's own documents tell it.
"use strict";

const $ = (selector, within = document) => within.querySelector(selector);

async function documents() {
  const headers = $("#token").value ? { Authorization: `Bearer ${$("#token").value}` } : {};
  const [http, other] = await Promise.all(
    ["/_openapi", "/_asyncapi"].map((url) => fetch(url, { headers }).then((it) => it.json())),
  );
  const refused = http.error || other.error;
  if (refused) throw new Error(`${refused.message} (${refused.id})`);
  return { http, other };
}

// Everything about an action in one place, by "controller:action".
function actionsOf({ http, other }) {
  const actions = new Map();
  for (const message of Object.values(other.components.messages)) {
    const known = message.payload.properties;
    if (!known?.controller?.const) continue;
    actions.set(message.name, { name: message.name, request: message.payload, routes: [], about: "" });
  }
  for (const message of Object.values(other.components.messages)) {
    const action = actions.get(message.name.replace("answer to ", ""));
    if (action && message.name.startsWith("answer to ")) action.answer = message.payload;
  }
  for (const operation of Object.values(other.operations)) {
    const key = operation.messages[0].$ref.split("/").pop();
    const action = actions.get(other.components.messages[key]?.name);
    if (action) action.about = operation.summary;
  }
  for (const [path, verbs] of Object.entries(http.paths)) {
    for (const [verb, operation] of Object.entries(verbs)) {
      const name = operation.operationId.split(":").slice(0, 2).join(":");
      actions.get(name)?.routes.push(`${verb.toUpperCase()} ${path}`);
    }
  }
  return [...actions.values()];
}

// Text with `code` in it.
function prose(element, text) {
  element.replaceChildren(...text.split("`").map((part, at) => {
    return at % 2 ? Object.assign(document.createElement("code"), { textContent: part }) : part;
  }));
}

function sample(action) {
  const { controller, action: name, requestId, jwt, volatile, body, ...rest } = action.request.properties;
  const request = { controller: controller.const, action: name.const };
  for (const key of action.request.required) if (key in rest) request[key] = "";
  if (body) request.body = Object.fromEntries((body.required ?? []).map((key) => [key, ""]));
  return request;
}

function row(name, schema, required) {
  const line = document.createElement("tr");
  const type = schema.const !== undefined ? JSON.stringify(schema.const) : [schema.type ?? "any"].flat().join(" or ");
  for (const text of [name, `${type}${required ? "" : ", optional"}`, schema.description ?? ""]) {
    const cell = document.createElement("td");
    prose(cell, text);
    line.append(cell);
  }
  return line;
}

function list(element, texts) {
  element.replaceChildren(...texts.map((text) => {
    const item = document.createElement("li");
    item.append(Object.assign(document.createElement("code"), { textContent: text }));
    return item;
  }));
}

async function send(action, card) {
  const answer = $(".answer", card);
  answer.hidden = false;
  try {
    const request = JSON.parse($("textarea", card).value);
    const headers = { "Content-Type": "application/json" };
    if ($("#token").value) headers.Authorization = `Bearer ${$("#token").value}`;
    const sent = await fetch("/_query", { method: "POST", headers, body: JSON.stringify(request) });
    const text = await sent.text();
    try { answer.textContent = JSON.stringify(JSON.parse(text), null, 2); } catch { answer.textContent = text; }
  } catch (error) {
    answer.textContent = String(error);
  }
}

// What is inside a card is made when it is opened: there are some two hundred of them.
function fill(action, card) {
  const { request, answer } = action;
  list($(".routes", card), action.routes.length ? action.routes : ["POST /_query"]);
  $(".frame", card).textContent = JSON.stringify(sample(action), null, 2);
  const table = $(".arguments tbody", card);
  const { controller, action: name, requestId, jwt, volatile, body, ...args } = request.properties;
  const required = new Set(request.required);
  table.append(...Object.entries(args).map(([key, schema]) => row(key, schema, required.has(key))));
  const within = new Set(body?.required ?? []);
  if (body) table.append(row("body", { type: body.type }, required.has("body")));
  table.append(...Object.entries(body?.properties ?? {}).map(([key, schema]) => row(`body.${key}`, schema, within.has(key))));
  const parts = answer?.allOf ?? [];
  prose($(".result", card), parts[2]?.then.properties.result.description ?? "The document itself.");
  list($(".errors", card), parts[1]?.properties.error.properties.id.examples ?? []);
  $("textarea", card).value = JSON.stringify(sample(action), null, 2);
  $("form", card).addEventListener("submit", (event) => {
    event.preventDefault();
    send(action, card);
  });
}

function draw(actions) {
  const found = $("#find").value.trim().toLowerCase();
  const shown = actions.filter((action) => !found || action.text.includes(found));
  const main = $("#actions");
  const menu = $("#controllers");
  main.replaceChildren();
  menu.replaceChildren();
  let last = "";
  for (const action of shown) {
    const controller = action.name.split(":")[0];
    if (controller !== last) {
      last = controller;
      main.append(Object.assign(document.createElement("h2"), { textContent: controller, id: controller }));
      menu.append(Object.assign(document.createElement("a"), { textContent: controller, href: `#${controller}` }));
    }
    const card = $("#card").content.cloneNode(true).firstElementChild;
    $(".name", card).textContent = action.name;
    prose($(".about", card), action.about);
    card.addEventListener("toggle", () => fill(action, card), { once: true });
    main.append(card);
  }
  if (!shown.length) main.append(Object.assign(document.createElement("p"), { textContent: "Nothing is called so." }));
}

async function start() {
  try {
    const actions = actionsOf(await documents());
    for (const action of actions) action.text = JSON.stringify(action).toLowerCase();
    $("#find").oninput = () => draw(actions);
    draw(actions);
  } catch (error) {
    $("#actions").replaceChildren(Object.assign(document.createElement("p"), { id: "state", textContent: `The API can't be shown: ${error.message}. If it asks for rights, enter a token above.` }));
  }
}

$("#token").addEventListener("change", start);
start();
