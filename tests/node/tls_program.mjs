// One request of kuzzle-sdk over TLS; which authorities it trusts is Node's to say.
//   NODE_EXTRA_CA_CERTS=ca.pem node tls_program.mjs ws|http PORT
import { createRequire } from "node:module";
const { Kuzzle, WebSocket, Http } = createRequire(import.meta.url)("kuzzle-sdk");

const [protocol, port] = process.argv.slice(2);
const options = { port: Number(port), ssl: true, autoReconnect: false };
const kuzzle = new Kuzzle(protocol === "ws" ? new WebSocket("localhost", options) : new Http("localhost", options));
const fail = (error) => {
  console.error(String(error && error.message));
  process.exit(1);
};
kuzzle.on("networkError", fail);
try {
  await kuzzle.connect();
  const answer = await kuzzle.query({ controller: "server", action: "now" });
  console.log(JSON.stringify({ status: answer.status }));
  kuzzle.disconnect();
} catch (error) {
  fail(error);
}
