// What a kuzzle-sdk program does about being logged in. Prints one JSON line a step. Reads a line of
// its standard input where the test has to do something first.
//   node [--experimental-websocket] auth_program.mjs ws|http PORT
import { createInterface } from "node:readline";
import { createRequire } from "node:module";
const { Kuzzle, WebSocket, Http } = createRequire(import.meta.url)("kuzzle-sdk");

const [protocol, port] = process.argv.slice(2);
const say = (step, value) => console.log(JSON.stringify({ step, value: value ?? null }));
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const event = (kuzzle, name) => new Promise((resolve) => kuzzle.once(name, resolve));
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const failing = (promise) => promise.then(() => "did not fail", (error) => error.id);
const credentials = { username: "root", password: "root's long password" };
const login = (kuzzle, expiresIn) => kuzzle.auth.login("local", credentials, expiresIn);
const me = async (kuzzle) => (await kuzzle.auth.getCurrentUser())._id;

async function connected() {
  const options = { port: Number(port), ssl: false };
  const kuzzle = new Kuzzle(
    protocol === "ws"
      ? new WebSocket("127.0.0.1", { ...options, autoReconnect: true, reconnectionDelay: 100 })
      : new Http("127.0.0.1", options),
    { autoQueue: true, autoReplay: true },
  );
  await kuzzle.connect();
  return kuzzle;
}

const kuzzle = await connected();
say("before", [await me(kuzzle), kuzzle.authenticated]);
const content = { content: {}, credentials: { local: credentials } };
say("first admin", (await kuzzle.security.createFirstAdmin("root-id", content, { reset: true }))._id);
say("anonymous now", await failing(kuzzle.server.now()));

const jwt = await login(kuzzle);
say("login", [await me(kuzzle), kuzzle.authenticated, kuzzle.jwt === jwt]);
say("checkToken", await kuzzle.auth.checkToken().then(({ valid, kuid }) => [valid, kuid]));
const refreshed = await kuzzle.auth.refreshToken({ expiresIn: "2h" });
say("refreshToken", [refreshed._id, refreshed.ttl, kuzzle.jwt === refreshed.jwt, refreshed.jwt !== jwt]);
say("refreshed", [await me(kuzzle), kuzzle.authenticated]);

const key = await kuzzle.auth.createApiKey("for a device", { _id: "device", expiresIn: "1h" });
const device = await connected();
device.setAPIKey(key._source.token);
say("API key", [await me(device), device.authenticated]);
say("searchApiKeys", (await kuzzle.auth.searchApiKeys({})).hits.map((hit) => hit._id));
await kuzzle.auth.deleteApiKey("device");
say("deleted API key", await failing(device.server.now()));
device.disconnect();

await kuzzle.auth.logout();
say("logout", [kuzzle.authenticated, kuzzle.jwt, await failing(kuzzle.server.now())]);
say("checkToken after logout", (await kuzzle.auth.checkToken(refreshed.jwt)).valid);

// A WebSocket is told when its token ends; over HTTP the next request finds out.
async function outlive(client, told) {
  const heard = event(client, told);
  const token = await login(client, "1s");
  if (protocol === "ws") return heard;
  while ((await client.auth.checkToken(token)).valid) await pause(50);
  say(`request before ${told}`, await failing(client.server.now()));
  return heard;
}
await outlive(kuzzle, "tokenExpired");
say("expired", [kuzzle.authenticated, kuzzle.jwt, await failing(kuzzle.server.now())]);
let logins = 0;
kuzzle.authenticator = () => login(kuzzle, "1h", logins++);
await outlive(kuzzle, "reAuthenticated");
say("recovered", [await me(kuzzle), kuzzle.authenticated, logins]);

if (protocol === "ws") await cut();
say("done");
kuzzle.disconnect();
process.exit(0);

// The router goes away and comes back. One token lives on, another ends meanwhile.
async function cut() {
  await kuzzle.index.create("sdk");
  await kuzzle.collection.create("sdk", "things", {});
  const brief = await connected();
  const again = [kuzzle, brief].map((each) => event(each, "reconnected"));
  const gone = [kuzzle, brief].map((each) => event(each, "networkError"));
  let renewals = 0;
  brief.authenticator = () => login(brief, "1h", renewals++);
  await login(brief, "8s");
  const { expiresAt } = await brief.auth.checkToken();
  say("ready to be cut");
  await lines.next();
  await Promise.all(gone);
  const writes = [1, 2, 3].map((n) => kuzzle.document.create("sdk", "things", { n }, `d${n}`));
  const asked = me(brief);
  say("queued", [kuzzle.offlineQueue.length, brief.offlineQueue.length]);
  say("renewed before", renewals);
  while (Date.now() <= expiresAt) await pause(50);
  say("ready to go on");
  await Promise.all(again);
  say("replayed", (await Promise.all(writes)).map((made) => [made._id, made._source._kuzzle_info.author]));
  say("still logged in", [await me(kuzzle), kuzzle.authenticated, logins]);
  say("logged in again", [await asked, brief.authenticated, renewals]);
  brief.disconnect();
}
