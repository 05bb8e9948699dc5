// Chromium without a screen, which looks for nothing on other machines.
import { chromium } from "playwright-core";

const FLAGS = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run " +
  "--disable-background-networking --disable-component-update --disable-sync";

// A browser of its own, whose names under `example` are this machine.
export const launched = (profile, executablePath) =>
  chromium.launchPersistentContext(profile, {
    executablePath,
    headless: true,
    args: [...FLAGS.split(" "), "--host-resolver-rules=MAP *.example 127.0.0.1"],
  });
