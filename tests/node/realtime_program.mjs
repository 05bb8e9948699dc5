// Subscriptions by kuzzle-sdk in Node. Prints one JSON line a step; reads a line of its standard
// input where the test has to do something first.
//   node realtime_program.mjs PORT
import { createInterface } from "node:readline";
import { createRequire } from "node:module";
import { play } from "./realtime_steps.mjs";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
await play(createRequire(import.meta.url)("kuzzle-sdk"), Number(process.argv[2]), {
  say: (step, value) => console.log(JSON.stringify({ step, value: value ?? null })),
  go: () => lines.next(),
});
process.exit(0);
