// Loaded before a program (node --import): says at the end which methods of kuzzle-sdk's controllers
// there are, and which the program called with success.
import { createRequire } from "node:module";
const { Kuzzle, Http } = createRequire(import.meta.url)("kuzzle-sdk");

const kuzzle = new Kuzzle(new Http("127.0.0.1", { port: 1 }));
const all = [];
const called = new Set();
for (const controller of ["bulk", "collection", "document", "index", "server"]) {
  const prototype = Object.getPrototypeOf(kuzzle[controller]);
  for (const name of Object.getOwnPropertyNames(prototype)) {
    if (name === "constructor" || name.startsWith("_")) continue;
    const method = prototype[name];
    all.push(`${controller}.${name}`);
    prototype[name] = async function (...given) {
      const result = await method.apply(this, given);
      called.add(`${controller}.${name}`);
      return result;
    };
  }
}
process.on("exit", () => {
  console.log(JSON.stringify({ step: "methods", value: all.sort() }));
  console.log(JSON.stringify({ step: "called", value: [...called].sort() }));
});
