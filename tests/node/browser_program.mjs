// kuzzle-sdk's own bundle in a page of another port: by token, then by cookie. Tells what it saw.
//   node browser_program.mjs PAGE PORT PROFILE CHROMIUM
import { launched } from "./chromium.mjs";

const [page, port, profile, executable] = process.argv.slice(2);
const context = await launched(profile, executable);
const tab = await context.newPage();
const faults = [];
const received = [];
tab.on("pageerror", (error) => faults.push(error.message));
tab.on("response", async (response) => received.push(await response.text().catch(() => "")));
tab.on("websocket", (socket) => socket.on("framereceived", ({ payload }) => received.push(String(payload))));
const hasToken = () => received.some((text) => /k(auth|apikey)-/.test(text));
const cookie = async () => (await context.cookies()).find(({ name }) => name === "authToken");

// The bundle expects what bundlers put in its place.
await tab.addInitScript(() => (globalThis.process = { env: { NODE_ENV: "production" } }));
await tab.goto(page);
await tab.addScriptTag({ url: `${page}/kuzzle.js` });
await tab.evaluate((number) => {
  const { Kuzzle, WebSocket, Http } = KuzzleSDK;
  const credentials = { username: "root", password: "root's long password" };
  const protocols = { ws: WebSocket, http: Http };
  const me = (kuzzle) => kuzzle.auth.getCurrentUser().then(({ _id }) => _id, ({ id }) => id);
  // Over WebSocket the SDK opens another socket with the new cookie. It takes the closing of the
  // old one, its own, for a lost answer, and rejects what is done all the same.
  const settled = async (ask) => {
    if (!kuzzle.cookieAuthentication || !(kuzzle.protocol instanceof WebSocket)) return ask();
    const done = new Promise((end) => kuzzle.protocol.once("websocketRenewalDone", end));
    const answer = await ask().catch(({ message }) => message.startsWith("Network error") ? undefined : message);
    await done;
    return answer;
  };
  window.begun = async (protocol, cookieAuth) => {
    window.kuzzle = new Kuzzle(new protocols[protocol]("127.0.0.1", { port: number, ssl: false }), { cookieAuth });
    await kuzzle.connect();
    const answer = await settled(() => kuzzle.auth.login("local", credentials));
    return { answer: typeof answer, me: await me(kuzzle), now: typeof (await kuzzle.server.now()) };
  };
  window.reach = () => [document.cookie, kuzzle.jwt, localStorage.length + sessionStorage.length];
  window.raw = async (mode) =>
    (await (await fetch(`http://127.0.0.1:${number}/_me`, { credentials: mode })).json()).result?._id;
  window.renewed = async () => Object.keys((await settled(() => kuzzle.auth.refreshToken())) ?? {}).sort();
  window.ended = async () => {
    await settled(() => kuzzle.auth.logout());
    const after = await me(kuzzle);
    kuzzle.disconnect();
    return after;
  };
}, Number(port));

const said = {};
for (const protocol of ["ws", "http"]) {
  const opened = await tab.evaluate((name) => begun(name, false), protocol);
  said[`token ${protocol}`] = { ...opened, closed: await tab.evaluate(() => ended()), hasToken: hasToken() };
}
received.length = 0;
for (const protocol of ["ws", "http"]) {
  const opened = await tab.evaluate((name) => begun(name, true), protocol);
  const { httpOnly, sameSite, value } = await cookie();
  const [reach, renewed] = await tab.evaluate(async () => [reach(), await renewed()]);
  const others = await tab.evaluate(async () => [await raw("include"), await raw("omit")]);
  const again = (await cookie()).value !== value;
  const end = await tab.evaluate(() => ended());
  said[`cookie ${protocol}`] = {
    ...opened, httpOnly, sameSite, reach, renewed, again, others, closed: end,
    left: (await cookie())?.value ?? null, hasToken: hasToken(), received: received.length > 3,
  };
}
await context.close();
console.log(JSON.stringify({ ...said, faults }));
