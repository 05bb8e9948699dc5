// EventSource in Chromium: what it hears of a collection, over a restart of the router.
import { createInterface } from "node:readline";
import { launched } from "./chromium.mjs";

const [url, profile, executablePath] = process.argv.slice(2);
const say = (step, value) => console.log(JSON.stringify({ step, value }));
const context = await launched(profile, executablePath);
const page = context.pages()[0] ?? await context.newPage();
await page.exposeFunction("say", say);
await page.goto(`${url}/_console/api`);
await page.evaluate(async () => {
  const login = await fetch("/_login/local?cookieAuth=true", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ username: "root", password: "root's long password" }),
  });
  window.say("login", login.status);
  const filter = encodeURIComponent('{"range":{"n":{"gte":0}}}');
  const source = new EventSource(`/lab/things/_subscribe?filter=${filter}&from=snapshot`);
  source.addEventListener("subscribed", () => window.say("subscribed", source.readyState));
  source.onmessage = ({ data, lastEventId }) => {
    const told = JSON.parse(data);
    const n = told.type === "document" ? told.result._source.n : told.type;
    window.say("heard", [told.action, n, lastEventId !== ""]);
  };
});
for await (const line of createInterface({ input: process.stdin })) {
  if (line === "end") break;
}
await context.close();
