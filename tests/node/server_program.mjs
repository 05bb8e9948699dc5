// What kuzzle-sdk resolves for the server, and for collections as the other programs don't ask of
// them; the admin actions, which it has no methods for.
//   node server_program.mjs ws|http PORT
import { createRequire } from "node:module";
const { Kuzzle, WebSocket, Http } = createRequire(import.meta.url)("kuzzle-sdk");

const [protocol, port] = process.argv.slice(2);
const options = { port: Number(port), ssl: false };
const kuzzle = new Kuzzle(protocol === "ws" ? new WebSocket("127.0.0.1", options) : new Http("127.0.0.1", options));
const say = (step, value) => console.log(JSON.stringify({ step, value: value ?? null }));
const ask = async (controller, action, more = {}) => (await kuzzle.query({ controller, action, ...more })).result;
const failing = (promise) => promise.then(() => "did not fail", (error) => ({ id: error.id, status: error.status }));

await kuzzle.connect();
const { server, collection, index, document } = kuzzle;
say("now", Math.abs((await server.now()) - Date.now()) < 60_000);
say("adminExists", await server.adminExists());
const { kuzzle: about, services } = (await server.info()).serverInfo;
say("info", [typeof about.version, typeof about.system.memory.total, Object.keys(services).sort()]);
const capabilities = await server.capabilities();
say("capabilities", [Object.keys(capabilities).sort(), capabilities.limits.documentsWriteCount]);
const config = await server.getConfig();
say("getConfig", [config.limits.documentsFetchCount, "access" in config]);
const last = await server.getLastStats();
say("getLastStats", [Object.keys(last).sort(), Object.keys(last.completedRequests)]);
say("getAllStats", (await server.getAllStats()).total);
say("getStats", (await server.getStats(new Date(0).toISOString(), Date.now() + 60_000)).total);
say("getStats of before", (await server.getStats(1, 2)).total);
say("getStats refused", await failing(server.getStats("soon", "later")));
say("healthCheck", (await ask("server", "healthCheck")).status);
say("metrics", (await ask("server", "metrics")).api.concurrentRequests);

say("cluster", (await ask("cluster", "status")).activeNodes);
say("nodeVersion", (await ask("debug", "nodeVersion")).startsWith("python "));
// Over HTTP the SDK looks for URLs in the public API, where these are not.
if (protocol === "ws") {
  say("ms.get", await failing(kuzzle.ms.get("key")));
  say("debug.enable", await failing(ask("debug", "enable")));
}

const mappings = { sdk: { boats: { mappings: { properties: { n: { type: "integer" } } } } } };
say("loadMappings", await ask("admin", "loadMappings", { body: mappings }));
const lines = [{ create: { _id: "b1" } }, { n: 1 }, { create: { _id: "b2" } }, { n: 2 }];
say("loadFixtures", await ask("admin", "loadFixtures", { body: { sdk: { boats: lines } }, refresh: "wait_for" }));
say("loaded", await document.count("sdk", "boats", { query: { range: { n: { gte: 1 } } } }));
await collection.update("sdk", "boats", { mappings: { properties: { name: { type: "keyword" } } } });
say("collection.update", Object.keys((await collection.getMapping("sdk", "boats")).properties).sort());
await collection.refresh("sdk", "boats");
await collection.delete("sdk", "boats");
say("collection.delete", await collection.exists("sdk", "boats"));
say("refreshIndexCache", await ask("admin", "refreshIndexCache"));
say("resetCache", await ask("admin", "resetCache", { database: "internalCache" }));
say("resetCache refused", await failing(ask("admin", "resetCache", { database: "redis" })));
say("dump", await ask("admin", "dump", { suffix: "sdk" }));
say("resetDatabase", await ask("admin", "resetDatabase"));
say("indexes", (await index.list()).filter((name) => name === "sdk"));
say("shutdown", await ask("admin", "shutdown"));
kuzzle.disconnect();
say("done");
