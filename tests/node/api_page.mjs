// Opens the page of the API in Chromium, looks an action up and sends it. Tells what it saw.
import { launched } from "./chromium.mjs";

const [, , url, profile, executable] = process.argv;
const context = await launched(profile, executable);
const page = await context.newPage();
const faults = [];
page.on("pageerror", (error) => faults.push(error.message));
page.on("request", (request) => request.url().startsWith(url) || faults.push(request.url()));
await page.goto(`${url}/_console/api`);
await page.waitForSelector(".action");
const all = await page.locator(".action").count();
await page.locator("#find").fill("server:now");
await page.locator(".action", { hasText: "server:now" }).locator("summary").click();
const routes = await page.locator(".routes li").first().textContent();
await page.locator("form button").first().click();
const answer = page.locator(".answer").first();
await answer.waitFor({ state: "visible" });
await page.waitForFunction(() => document.querySelector(".answer").textContent.startsWith("{"));
const answered = JSON.parse(await answer.textContent());
await context.close();
console.log(JSON.stringify({ all, routes, status: answered.status, now: answered.result.now, faults }));
