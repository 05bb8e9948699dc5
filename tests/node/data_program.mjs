// What kuzzle-sdk resolves for the actions on many documents, in bulk, by query and on collections.
//   node data_program.mjs ws|http PORT
import { createRequire } from "node:module";
const { Kuzzle, WebSocket, Http } = createRequire(import.meta.url)("kuzzle-sdk");

const [protocol, port] = process.argv.slice(2);
const options = { port: Number(port), ssl: false };
const kuzzle = new Kuzzle(protocol === "ws" ? new WebSocket("127.0.0.1", options) : new Http("127.0.0.1", options));
const say = (step, value) => console.log(JSON.stringify({ step, value: value ?? null }));
const ids = (answer) => answer.successes.map((each) => each._id ?? each);
// The SDK has no method of its own for these.
const ask = async (controller, action, more = {}) =>
  (await kuzzle.query({ controller, action, index: "sdk", collection: "many", ...more })).result;
const waiting = { refresh: "wait_for" };

await kuzzle.connect();
const place = ["sdk", "many"];
const { document, collection, index, bulk } = kuzzle;
await index.create("sdk");
await collection.create(...place, { mappings: { properties: { n: { type: "integer" } } }, settings: { number_of_shards: 2 } });

say("mCreate", ids(await document.mCreate(...place, [{ _id: "a", body: { n: 1 } }, { _id: "b", body: { n: 2 } }])));
say("mCreate twice", (await document.mCreate(...place, [{ _id: "a", body: {} }])).errors[0].reason);
say("mCreateOrReplace", ids(await document.mCreateOrReplace(...place, [{ _id: "c", body: { n: 3 } }])));
say("mReplace", ids(await document.mReplace(...place, [{ _id: "c", body: { n: 4 } }])));
say("mUpdate", (await document.mUpdate(...place, [{ _id: "c", body: { n: 5 } }])).successes[0]._version);
say("mUpsert", (await document.mUpsert(...place, [{ _id: "d", changes: { n: 6 }, default: { x: 1 } }])).successes[0].created);
say("mGet", ids(await document.mGet(...place, ["a", "none"])));
say("mGet by POST", ids(await document.mGet(...place, ["a"], { verb: "POST" })));
say("mExists", (await ask("document", "mExists", { body: { ids: ["a", "none"] } })));
say("upsert", (await document.upsert(...place, "d", { n: 7 }))._version);
say("deleteFields", (await document.deleteFields(...place, "d", ["x"], { source: true, ...waiting }))._source.x ?? "gone");
say("updateByQuery", (await document.updateByQuery(...place, { range: { n: { gte: 5 } } }, { n: 50 }, waiting)).successes.length);
say("deleteByQuery", (await document.deleteByQuery(...place, { query: { term: { n: 50 } } }, waiting)).length);
say("mDelete", (await document.mDelete(...place, ["a", "none"], waiting)).successes);
say("validate", await document.validate(...place, { n: 1 }));

say("bulk.write", (await bulk.write(...place, { n: 1, _kuzzle_info: { author: "me" } }, "w"))._source._kuzzle_info.author);
say("bulk.mWrite", ids(await bulk.mWrite(...place, [{ _id: "w2", body: { n: 8 } }])));
say("bulk.import", (await bulk.import(...place, [{ index: { _id: "i" } }, { n: 9 }], waiting)).successes.length);
say("bulk.updateByQuery", await bulk.updateByQuery(...place, { range: { n: { gte: 8 } } }, { n: 10 }, waiting));
say("bulk.deleteByQuery", await bulk.deleteByQuery(...place, { term: { n: 10 } }, waiting));

say("getSettings", (await ask("collection", "getSettings")).number_of_shards);
await collection.updateMapping(...place, { properties: { m: { type: "keyword" } } });
say("updateMapping", Object.keys((await collection.getMapping(...place)).properties).sort());
const specification = { strict: false, fields: { n: { type: "integer", mandatory: true } } };
say("validateSpecifications", (await collection.validateSpecifications(...place, specification)).valid);
await collection.updateSpecifications(...place, specification);
say("getSpecifications", (await collection.getSpecifications(...place)).validation.fields.n.type);
say("searchSpecifications", (await collection.searchSpecifications({ query: {} })).total);
say("refused", await document.create(...place, {}).then(() => "no", (error) => error.id));
await collection.deleteSpecifications(...place);
await collection.truncate(...place);
say("truncate", await document.count(...place));
await index.create("sdk2");
say("index.mDelete", await index.mDelete(["sdk2", "none"]));
say("index.stats", (await index.stats()).indexes.some((each) => each.name === "sdk"));
await index.delete("sdk");
kuzzle.disconnect();
say("done");
