// What a kuzzle-sdk program does with this version's actions. Prints one JSON line a step, so that
// the test reads what the SDK itself resolved or rejected with.
//   node [--experimental-websocket] sdk_program.mjs ws|http PORT
import { createRequire } from "node:module";
const { Kuzzle, WebSocket, Http } = createRequire(import.meta.url)("kuzzle-sdk");

const [protocol, port] = process.argv.slice(2);
const options = { port: Number(port), ssl: false };
const kuzzle = new Kuzzle(
  protocol === "ws" ? new WebSocket("127.0.0.1", { ...options, pingInterval: 2000 }) : new Http("127.0.0.1", options),
);
const say = (step, value) => console.log(JSON.stringify({ step, value: value ?? null }));
kuzzle.on("networkError", (error) => say("networkError", error.message));
kuzzle.on("discarded", (message) => say("discarded", message));

async function failing(step, promise) {
  try {
    await promise;
    say(step, "did not fail");
  } catch (error) {
    say(step, { id: error.id, status: error.status, code: error.code });
  }
}

await kuzzle.connect();
say("now", typeof (await kuzzle.server.now()));
say("adminExists", await kuzzle.server.adminExists());
say("checkToken", await kuzzle.auth.checkToken());
say("currentUser", (await kuzzle.auth.getCurrentUser())._id);
say("rights", (await kuzzle.auth.getMyRights()).length);

await kuzzle.index.create("sdk");
say("index.exists", await kuzzle.index.exists("sdk"));
say("index.list", await kuzzle.index.list());
await kuzzle.collection.create("sdk", "things", {
  mappings: { properties: { name: { type: "keyword" }, n: { type: "integer" } } },
});
say("collection.exists", await kuzzle.collection.exists("sdk", "things"));
say("collection.list", (await kuzzle.collection.list("sdk")).collections);
say("mapping", (await kuzzle.collection.getMapping("sdk", "things")).properties);

say("create", (await kuzzle.document.create("sdk", "things", { name: "a", n: 1 }, "d1"))._version);
say("create auto", typeof (await kuzzle.document.create("sdk", "things", { name: "b", n: 2 }))._id);
say("update", (await kuzzle.document.update("sdk", "things", "d1", { n: 5 }, { refresh: "wait_for", retryOnConflict: 3 }))._source.n);
say("update source", (await kuzzle.document.update("sdk", "things", "d1", { n: 6 }, { source: true }))._source.name);
say("get", (await kuzzle.document.get("sdk", "things", "d1"))._source.n);
say("exists", await kuzzle.document.exists("sdk", "things", "d1"));
say("createOrReplace", (await kuzzle.document.createOrReplace("sdk", "things", "d2", { name: "c", n: 9 }, { refresh: "wait_for" }))._version);
say("replace", (await kuzzle.document.replace("sdk", "things", "d2", { name: "d", n: 10 }, { refresh: "wait_for" }))._source.name);
say("count", await kuzzle.document.count("sdk", "things", { query: { range: { n: { gte: 6 } } } }));
const found = await kuzzle.document.search("sdk", "things", { query: { match_all: {} }, sort: [{ n: "asc" }] }, { from: 0, size: 2 });
say("search", { total: found.total, hits: found.hits.map((hit) => hit._source.n) });
const first = await kuzzle.document.search("sdk", "things", {}, { from: 0, size: 2 });
const next = await first.next();
const seen = [...first.hits, ...next.hits].map((hit) => hit._source.n);
say("search next", seen.sort((a, b) => a - b));
const all = async (body, options) => {
  const numbers = [];
  let page = await kuzzle.document.search("sdk", "things", body, options);
  for (; page; page = await page.next()) numbers.push(page.hits.map((hit) => hit._source.n));
  return numbers;
};
say("search scrolled", await all({ sort: [{ n: "desc" }] }, { size: 2, scroll: "5s" }));
say("search after", await all({ sort: [{ n: "asc" }, "_id"] }, { size: 1 }));
say("delete", await kuzzle.document.delete("sdk", "things", "d2"));
await failing("get of none", kuzzle.document.get("sdk", "things", "nope"));
await failing("unknown index", kuzzle.document.get("nope", "things", "nope"));

// The main job, in both of its names.
const query = async (request) => (await kuzzle.query(request)).result;
await query({ controller: "device-manager/engine", action: "create", index: "fleet" });
say("engines", await query({ controller: "device-manager/engine", action: "list" }));
const asset = { controller: "device-manager/asset", index: "fleet" };
await query({ ...asset, action: "create", body: { model: "Truck", reference: "1", metadata: { weight: 1 } } });
say("asset update", await query({ ...asset, action: "update", _id: "Truck-1", body: { metadata: { weight: 2 } } }));
say("asset update source", (await query({ ...asset, action: "update", _id: "Truck-1", source: true, refresh: "wait_for", body: { metadata: { doors: 4 } } }))._source.metadata);
say("asset search", (await query({ ...asset, action: "search", body: { query: { term: { model: "Truck" } } } })).total);
const assets = { controller: "device-manager/assets", engineId: "fleet" };
if (protocol === "ws") say("assets get", (await query({ ...assets, action: "get", _id: "Truck-1" }))._source.metadata);
await failing("asset update of none", kuzzle.query({ ...asset, action: "update", _id: "x", body: {} }));

const many = await Promise.all(
  Array.from({ length: 200 }, (_, i) => kuzzle.query({ ...asset, action: "update", _id: "Truck-1", body: { metadata: { counter: i } } })),
);
const versions = many.map((answer) => answer.result._version);
say("many versions differ", new Set(versions).size);
// The SDK leaves the order of HTTP requests to the sockets it opens.
const last = (await query({ ...asset, action: "get", _id: "Truck-1" }))._source.metadata.counter;
say("the last one stands", protocol === "ws" ? last === 199 : many[versions.indexOf(Math.max(...versions))].result._source.metadata.counter === last);

if (protocol === "ws") {
  // Two pings and their answers: the SDK hangs up when one is missed.
  await new Promise((resolve) => setTimeout(resolve, 4500));
  say("still connected", kuzzle.connected);
}
await query({ controller: "device-manager/engine", action: "delete", index: "fleet" });
await kuzzle.index.delete("sdk");
kuzzle.disconnect();
say("done");
