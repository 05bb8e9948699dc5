// What a page can make a browser send to a router: every way of asking that pages have. Tells what
// the page could read, and with which cookies the browser was left.
//   node cross_site.mjs PAGE ROUTER LOGIN_PAGE|- REQUESTS PROFILE CHROMIUM
import { launched } from "./chromium.mjs";

const [page, router, loginPage, requests, profile, executable] = process.argv.slice(2);
const context = await launched(profile, executable);
const tab = await context.newPage();
const BODIES = JSON.parse(requests).map((request) => JSON.stringify(request));

if (loginPage !== "-") {
  await tab.goto(loginPage);
  await tab.evaluate((url) => fetch(`${url}/_login/local?cookieAuth`, {
    method: "POST", credentials: "include",
    body: JSON.stringify({ username: "root", password: "root's long password" }),
    headers: { "Content-Type": "application/json" },
  }), router);
}
const held = (await context.cookies()).filter(({ name }) => name === "authToken").length;

await tab.goto(page);
const read = await tab.evaluate(async ({ url, bodies }) => {
  const told = [];
  const bound = (promise, ms = 3000) => Promise.race([promise, new Promise((end) => setTimeout(end, ms, "no end"))]);
  // What is fetched has an end, one way or the other.
  const tell = (promise) => bound(promise, 60000).then((text) => told.push(String(text)), (error) => told.push(String(error)));
  const loaded = (element) => bound(new Promise((end) => {
    element.onload = element.onerror = end;
    document.body.append(element);
  }));
  const element = (name, attributes) => Object.assign(document.createElement(name), attributes);
  const ways = bodies.flatMap((body) => ["text/plain", "application/json", "application/x-www-form-urlencoded"].flatMap(
    (type) => ["cors", "no-cors"].flatMap((mode) => ["include", "omit"].map((credentials) => ({
      method: "POST", body, mode, credentials, headers: { "Content-Type": type },
    })))));
  await Promise.all(ways.map((way) => tell(fetch(`${url}/_query`, way).then((answer) => answer.text()))));
  for (const path of ["/_/test/record", "/_me", "/_list"]) {
    await tell(fetch(url + path, { credentials: "include" }).then((answer) => answer.text()));
    for (const name of ["img", "script", "iframe"]) await loaded(element(name, { src: url + path }));
    await loaded(element("link", { rel: "stylesheet", href: url + path }));
  }
  for (const body of bodies) {
    navigator.sendBeacon(`${url}/_query`, body);
    // A form whose one field makes JSON of "name=value".
    const frame = element("iframe", { name: `frame${told.length}` });
    document.body.append(frame);
    for (const enctype of ["text/plain", "multipart/form-data", "application/x-www-form-urlencoded"]) {
      const form = element("form", { action: `${url}/_query`, method: "POST", enctype, target: frame.name });
      form.append(element("input", { name: `${body.slice(0, -1)},"pad":"`, value: '"}' }));
      document.body.append(form);
      await bound(new Promise((end) => { frame.onload = end; form.submit(); }));
    }
    // A frame that has no origin at all.
    const text = `fetch("${url}/_query", {method: "POST", body: ${JSON.stringify(body)}, credentials: "include"})
      .then((answer) => answer.text()).catch(String).then((text) => parent.postMessage(text, "*"))`;
    await tell(new Promise((end) => {
      addEventListener("message", ({ data }) => end(data), { once: true });
      document.body.append(element("iframe", { sandbox: "allow-scripts", srcdoc: `<script>${text}</script>` }));
    }));
  }
  await tell(new Promise((end) => {
    const socket = new WebSocket(url.replace("http", "ws"));
    let left = bodies.length;
    socket.onopen = () => bodies.forEach((body) => socket.send(body));
    socket.onmessage = ({ data }) => { told.push(data); if (--left === 0) end("all answered"); };
    socket.onclose = () => end("closed");
  }));
  return told;
}, { url: router, bodies: BODIES });

// The whole tab goes there: by a link, and by a form.
for (const act of ["link", "form"]) {
  await tab.goto(page);
  await Promise.all([
    tab.waitForNavigation(),
    tab.evaluate(({ url, act, body }) => {
      if (act === "link") return void (location.href = `${url}/_/test/record`);
      const form = document.createElement("form");
      const field = Object.assign(document.createElement("input"), { name: `${body.slice(0, -1)},"pad":"`, value: '"}' });
      Object.assign(form, { action: `${url}/_query`, method: "POST", enctype: "text/plain" }).append(field);
      document.body.append(form);
      form.submit();
    }, { url: router, act, body: BODIES[0] }),
  ]);
}

// A name of the page's own site that has become the router's address.
const rebound = router.replace("127.0.0.1", "rebound.example");
await tab.goto(`${rebound}/_/test/record`);
read.push(await tab.evaluate(async (bodies) => (await Promise.all(bodies.map((body) =>
  fetch("/_query", { method: "POST", body, headers: { "Content-Type": "application/json" } })
    .then((answer) => answer.text(), String)))).join(), BODIES));
const left = (await context.cookies()).filter(({ name, value }) => name === "authToken" && value !== "null").length;
await context.close();
console.log(JSON.stringify({ read, held, left }));
