// What a kuzzle-sdk program does with subscriptions, in Node and in a browser alike.
const BOB = { username: "bob", password: "bob's long password" };
const shown = (n) => `${n.action} ${n.scope} ${n.result._id}`;

// Waits for the next notification of a list that a callback fills.
class Heard {
  constructor() {
    this.all = [];
    this.waiting = [];
  }
  add(notification) {
    const waiter = this.waiting.shift();
    if (waiter) waiter(notification);
    else this.all.push(notification);
  }
  next() {
    return this.all.length ? Promise.resolve(this.all.shift()) : new Promise((resolve) => this.waiting.push(resolve));
  }
}

// `say` takes the outcome of a step; `go` returns once the test has done what it has to.
export async function play({ Kuzzle, WebSocket, Observer }, port, { say, go }) {
  async function connected(name) {
    const kuzzle = new Kuzzle(
      new WebSocket("127.0.0.1", { port, ssl: false, reconnectionDelay: 100, pingInterval: 5000 }),
      { volatile: { name } },
    );
    kuzzle.on("discarded", (message) => say("discarded", message));
    await kuzzle.connect();
    return kuzzle;
  }

  const reader = await connected("reader");
  const writer = await connected("writer");
  await writer.security.createUser("bob-id", { content: { profileIds: ["default"] }, credentials: { local: BOB } });
  await reader.auth.login("local", BOB);
  await writer.index.create("live");
  await writer.collection.create("live", "things", {});

  const heard = new Heard();
  const filter = { range: { n: { gte: 5 } } };
  const room = await reader.realtime.subscribe("live", "things", filter, (n) => heard.add(n), { users: "all", volatile: { who: "me" } });
  say("room", room.length);
  await writer.document.create("live", "things", { n: 6 }, "a");
  const created = await heard.next();
  say("created", shown(created));
  say("writer's volatile", created.volatile.name);
  await writer.document.update("live", "things", "a", { n: 7, deep: { x: 1 } });
  say("updated fields", (await heard.next()).result._updatedFields.sort());
  await writer.document.update("live", "things", "a", { n: 1 });
  say("out", shown(await heard.next()));
  await writer.document.create("live", "things", { n: 2 }, "b");
  await writer.realtime.publish("live", "things", { n: 50 });
  const published = await heard.next();
  say("published", [published.action, published.result._source.n]);

  const out = new Heard();
  const outRoom = await reader.realtime.subscribe("live", "things", filter, (n) => out.add(n), { scope: "out" });
  say("same room for another scope", outRoom === room);
  const cameIn = new Heard();
  await reader.realtime.subscribe("live", "things", filter, (n) => cameIn.add(n), { scope: "in" });
  const people = new Heard();
  await reader.realtime.subscribe("live", "things", filter, (n) => people.add(n), { scope: "none", users: "out" });
  const second = new Heard();
  await writer.realtime.subscribe("live", "things", filter, (n) => second.add(n), { users: "in", subscribeToSelf: false, volatile: { who: "other" } });
  const came = await heard.next();
  say("came", [came.user, came.result.count, came.volatile.who]);
  say("count", await reader.realtime.count(room));
  await writer.document.update("live", "things", "b", { n: 9 });
  say("in again", shown(await heard.next()));
  await writer.document.delete("live", "things", "b");
  say("deleted", shown(await heard.next()));
  say("deleted, for out only", shown(await out.next()));
  say("for in only", [shown(await cameIn.next()), cameIn.all.length]);
  say("own writes are not heard", second.all.length);

  await writer.disconnect();
  const went = await heard.next();
  say("went", [went.user, went.result.count, went.volatile.who]);
  say("people only", [(await people.next()).user, people.all.length]);

  const brief = await connected("brief");
  await brief.auth.login("local", BOB, "4s");
  const expired = new Promise((resolve) => brief.on("tokenExpired", resolve));
  const briefly = await brief.realtime.subscribe("live", "things", { missing: "n" }, () => say("too late", null));
  say("before the token expires", await reader.realtime.count(briefly));
  await expired;
  say("after the token expired", await reader.realtime.count(briefly));
  await brief.disconnect();

  const other = await connected("other");
  await other.document.create("live", "things", { n: 1 }, "watched");
  const observer = new Observer(reader);
  const watched = await observer.get("live", "things", "watched");
  const changed = new Promise((resolve) => watched.on ? watched.on("change", resolve) : observer.on && observer.on("change", resolve));
  await other.document.update("live", "things", "watched", { n: 2 });
  for (let tries = 0; watched._source.n !== 2 && tries < 3000; tries++) await new Promise((resolve) => setTimeout(resolve, 20));
  say("observed", watched._source.n);
  await observer.stop();
  void changed;

  await reader.realtime.unsubscribe(room);
  await other.document.create("live", "things", { n: 8 }, "c");
  say("after unsubscribing", (await other.realtime.count(room)) + heard.all.length);

  // The router goes away and comes back: the SDK subscribes again by itself.
  const back = new Heard();
  await reader.realtime.subscribe("live", "things", { exists: "n" }, (n) => back.add(n));
  const reconnected = [reader, other].map((kuzzle) => new Promise((resolve) => kuzzle.on("reconnected", resolve)));
  say("ready to be cut", null);
  await go();
  await Promise.all(reconnected);
  const until = Date.now() + 90000;
  while (Date.now() < until && !back.all.length) {
    await other.document.createOrReplace("live", "things", "d", { n: 1 });
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  say("after reconnecting", back.all[0].result._id);
  say("done", null);
  await reader.disconnect();
  await other.disconnect();
}
