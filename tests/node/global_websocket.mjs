// The WebSocket that browsers and Node bring along, as kuzzle-sdk uses it: prints what it met.
const [url, protocols] = process.argv.slice(2);
const socket = protocols === "null" ? new WebSocket(url, null) : new WebSocket(url);
const seen = {};
const bound = setTimeout(() => fail("no end within 90 s"), 90_000);

function fail(reason) {
  console.error(reason);
  process.exit(1);
}

socket.onerror = (event) => fail(`error: ${event.message ?? event.type}`);
socket.onopen = () => {
  seen.protocol = socket.protocol;
  seen.extensions = socket.extensions;
  socket.send('{"p":1}');
};
socket.onmessage = ({ data }) => {
  if (data === '{"p":2}') {
    seen.pong = data;
    socket.send(JSON.stringify({ controller: "server", action: "now", requestId: "n1" }));
    return;
  }
  seen.answer = JSON.parse(data);
  socket.close(1000);
};
socket.onclose = ({ code, wasClean }) => {
  clearTimeout(bound);
  console.log(JSON.stringify({ ...seen, code, wasClean }));
};
