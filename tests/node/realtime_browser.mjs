// The same by kuzzle-sdk's own bundle in a page of another port.
//   node realtime_browser.mjs PAGE PORT PROFILE CHROMIUM
import { createInterface } from "node:readline";
import { launched } from "./chromium.mjs";

const [page, port, profile, executable] = process.argv.slice(2);
const say = (step, value) => console.log(JSON.stringify({ step, value: value ?? null }));
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const context = await launched(profile, executable);
const tab = await context.newPage();
tab.on("pageerror", (error) => say("fault", error.message));
await tab.exposeFunction("say", say);
await tab.exposeFunction("go", async () => void (await lines.next()));
// The bundle expects what bundlers put in its place.
await tab.addInitScript(() => (globalThis.process = { env: { NODE_ENV: "production" } }));
await tab.goto(page);
await tab.addScriptTag({ url: `${page}/kuzzle.js` });
await tab.evaluate(async (number) => {
  const { play } = await import("/realtime_steps.mjs");
  await play(KuzzleSDK, number, { say, go });
}, Number(port));
await context.close();
process.exit(0);
