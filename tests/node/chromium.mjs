// Chromium without a screen, which looks for nothing on other machines.
import { chromium } from "playwright-core";

const FLAGS = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run " +
  "--disable-background-networking --disable-component-update --disable-sync";

// How long anything may take on a machine that is busy with other tests.
const TIMEOUT_MS = 180_000;

// A browser of its own, whose names under `example` are this machine.
export async function launched(profile, executablePath) {
  const context = await chromium.launchPersistentContext(profile, {
    executablePath,
    headless: true,
    timeout: TIMEOUT_MS,
    args: [...FLAGS.split(" "), "--host-resolver-rules=MAP *.example 127.0.0.1"],
  });
  context.setDefaultTimeout(TIMEOUT_MS);
  return context;
}
