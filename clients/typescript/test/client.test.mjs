// The client against servers that misbehave on purpose, and against a real one if WARDROOM_URL and WARDROOM_KEY name it.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";
import { inspect } from "node:util";
import * as kit from "wardroom-client";

const KEY = "wrd_0123456789012345678901234567890123456";
const { Client, info } = kit;

async function scripted(...pieces) {
  const requests = [];
  const server = createServer(async (request, response) => {
    const parts = [];
    for await (const part of request) parts.push(part);
    requests.push({ method: request.method, url: request.url, headers: request.headers, body: Buffer.concat(parts).toString() });
    const piece = pieces.shift();
    if (piece === undefined) return request.socket.destroy();
    if (typeof piece === "function") return piece(response, request);
    const [status, body, headers] = piece;
    response.writeHead(status, { "content-type": "application/json", ...headers });
    response.end(typeof body === "string" ? body : body === undefined ? "" : JSON.stringify(body));
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  const waits = [];
  const client = new Client(`http://127.0.0.1:${server.address().port}`, { key: KEY, sleep: async (milliseconds) => void waits.push(milliseconds) });
  const url = `http://127.0.0.1:${server.address().port}`;
  return { client, requests, waits, url, close: () => (server.closeAllConnections(), server.close()) };
}

async function refusal(work) {
  try {
    await work();
  } catch (error) {
    return error;
  }
  assert.fail("it was not refused");
}

test("every status has its error", async () => {
  const kinds = { 400: kit.BadRequest, 401: kit.Unauthorized, 403: kit.Forbidden, 404: kit.NotFound, 409: kit.Conflict, 412: kit.PreconditionFailed, 418: kit.ApiError, 429: kit.Throttled, 500: kit.ApiError, 503: kit.Unavailable };
  for (const [status, kind] of Object.entries(kinds)) {
    const { client, close } = await scripted([Number(status), { code: "some_code", detail: "Why." }, { "x-request-id": "abc" }]);
    const error = await refusal(() => client.call("users_retrieve", { path: { id: 7 } }));
    assert.equal(error.constructor, kind);
    assert.deepEqual([error.status, error.code, error.detail, error.requestId, error.name], [Number(status), "some_code", "Why.", "abc", kind.name]);
    close();
  }
  const { client, close } = await scripted([400, { code: "invalid", errors: { email: ["Enter a valid email address."] } }], [502, "<html>"]);
  const error = await refusal(() => client.call("users_update", { path: { id: 7 }, body: { email: "x" } }));
  assert.deepEqual(error.errors, { email: ["Enter a valid email address."] });
  assert.match(error.message, /email: Enter a valid/);
  assert.equal((await refusal(() => client.call("users_retrieve", { path: { id: 7 } }))).code, "error");
  close();
});

test("only safe methods are repeated, and only when it is said when", async () => {
  for (const status of [429, 503]) {
    const good = await scripted([status, "", { "retry-after": "2" }], [status, "", { "retry-after": "3" }], [200, { id: 1 }]);
    assert.equal((await good.client.call("users_retrieve", { path: { id: 1 } })).id, 1);
    assert.deepEqual([good.waits, good.requests.length], [[2000, 3000], 3]);
    good.close();
    for (const headers of [{}, { "retry-after": "31" }, { "retry-after": "soon" }]) {
      const { client, requests, waits, close } = await scripted([status, "", headers]);
      await refusal(() => client.call("users_retrieve", { path: { id: 1 } }));
      assert.deepEqual([waits, requests.length], [[], 1]);
      close();
    }
    const changes = [
      (client) => client.call("users_update", { path: { id: 1 }, body: {} }),
      (client) => client.call("users_create", { body: { username: "a" } }),
      (client) => client.call("users_destroy", { path: { id: 1 } }),
      (client) => client.call("users_sign_out", { path: { id: 1 } }),
    ];
    for (const change of changes) {
      const { client, requests, waits, close } = await scripted([status, "", { "retry-after": "1" }]);
      assert.equal((await refusal(() => change(client))).retryAfter, 1);
      assert.deepEqual([waits, requests.length], [[], 1]);
      close();
    }
    const bad = await scripted(...Array(5).fill([status, "", { "retry-after": "1" }]));
    await refusal(() => bad.client.call("users_retrieve", { path: { id: 1 } }));
    assert.equal(bad.requests.length, 3);
    bad.close();
  }
});

test("a slow response ends in time, and so does one that its caller does not want", async () => {
  const hang = (response) => void response.write("{");
  const { url, close } = await scripted(() => undefined, hang, hang);
  const client = new Client(url, { key: KEY, timeout: 100 });
  assert.equal((await refusal(() => client.call("users_me_retrieve"))).constructor, kit.TimedOut);
  assert.equal((await refusal(() => client.call("users_me_retrieve"))).constructor, kit.TimedOut);
  assert.equal((await refusal(() => client.call("users_me_retrieve", { signal: AbortSignal.abort() }))).constructor, kit.ConnectionFailed);
  close();
});

test("an export is a stream, and a cut is an error", async () => {
  const lines = (count) => (response) => {
    for (let id = 1; id <= count; id++) response.write(`{"id":${id},"name":"é"}\n`);
    response.end();
  };
  const cut = (text) => (response) => void response.write(text, () => response.destroy());
  const split = (response) => {
    const bytes = Buffer.from('{"id":1,"name":"é"}\n');
    response.write(bytes.subarray(0, 17));
    setImmediate(() => response.end(bytes.subarray(17)));
  };
  const { client, close } = await scripted(lines(3), split, cut('{"id":1}\n{'), cut('{"id":1}\n'), (response) => response.end('{"id":1}\n{"id"'));
  const read = async (seen = []) => {
    for await (const event of client.exportAudit()) seen.push(event.id);
    return seen;
  };
  assert.deepEqual(await read(), [1, 2, 3]);
  assert.deepEqual(await read(), [1]);
  for (let turn = 0; turn < 3; turn++) {
    const seen = [];
    assert.ok((await refusal(() => read(seen))) instanceof kit.ConnectionFailed);
    assert.deepEqual(seen, [1]);
  }
  close();
});

test("pages follow the cursor, and not the host of the link", async () => {
  const { client, requests, close } = await scripted(
    [200, { results: [{ id: 1 }, { id: 2 }], next: "https://elsewhere.example/api/users?cursor=a%2Bb" }],
    [503, "", { "retry-after": "1" }],
    [200, { results: [{ id: 3 }], next: null }],
  );
  const seen = [];
  for await (const user of client.iterate("users_list", { query: { search: "a b" } })) seen.push(user.id);
  assert.deepEqual(seen, [1, 2, 3]);
  const again = "/api/users?limit=500&search=a+b&cursor=a%2Bb";
  assert.deepEqual(requests.map((one) => one.url), ["/api/users?limit=500&search=a+b&cursor=", again, again]);
  close();
});

test("what a response says besides its body", async () => {
  const { client, requests, close } = await scripted([200, { id: 1 }, { etag: '"5"' }], [200, { id: 1 }]);
  const user = await client.call("users_retrieve", { path: { id: 1 } });
  assert.equal(info(user).etag, '"5"');
  await client.call("users_update", { path: { id: 1 }, body: {}, ifMatch: info(user).etag });
  assert.equal(requests[1].headers["if-match"], '"5"');
  assert.throws(() => info({}), TypeError);
  close();
});

test("ids that are not exact are refused, and a path stays one segment", async () => {
  const { client, requests, close } = await scripted([204, ""]);
  for (const id of [2 ** 53, 1.5, NaN, undefined, "", ".."]) {
    assert.equal((await refusal(() => client.call("users_destroy", { path: { id } }))).constructor, kit.ConfigurationError);
  }
  await client.call("users_destroy", { path: { id: "7/../8?x" } });
  assert.equal(requests[0].url, "/api/users/7%2F..%2F8%3Fx");
  close();
});

test("the URL has to be https or local, and the key one that a header can have", () => {
  for (const url of ["https://a.example", "https://a.example/wardroom/", "http://localhost:8000", "http://127.0.0.9", "http://[::1]:8000"]) new Client(url, { key: KEY });
  new Client("http://a.example", { key: KEY, allowHttp: true });
  for (const url of ["http://a.example", "http://localhost.example", "http://127.0.0.1.example", "ftp://localhost", "a.example", "", "https://user:hunter2@a.example", "https://a.example?x=hunter2", "https://a.example#x"]) {
    assert.throws(() => new Client(url, { key: KEY }), (error) => error instanceof kit.ConfigurationError && !error.message.includes("hunter2"));
  }
  for (const key of ["", "a b", "a\nb", "schlüssel-hunter2"]) {
    assert.throws(() => new Client("https://a.example", { key }), (error) => error instanceof kit.ConfigurationError && !error.message.includes("hunter2"));
  }
});

test("the key is in no text", async () => {
  const shown = (value) => inspect(value, { depth: 20, showHidden: true }) + String(value) + JSON.stringify(value) + (value.stack ?? "");
  const { client, close } = await scripted([400, { detail: `no ${KEY}`, errors: { [KEY]: [KEY] } }], [200, "["]);
  assert.ok(!shown(client).includes(KEY));
  for (let turn = 0; turn < 3; turn++) {
    const error = await refusal(() => client.call("users_me_retrieve"));
    assert.ok(error instanceof kit.WardroomError && error.cause === undefined);
    assert.ok(!shown(error).includes(KEY), shown(error));
  }
  close();
});

const real = process.env.WARDROOM_URL === undefined ? { skip: "WARDROOM_URL names no server" } : {};

test("a user of a real server, from beginning to end", real, async () => {
  const client = new Client(process.env.WARDROOM_URL, { key: process.env.WARDROOM_KEY });
  const user = await client.call("users_create", { body: { username: "kit.typescript", gender: "female", groups: [] } });
  const red = Buffer.from("89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63f8cfc0000003010100c9fe92ef0000000049454e44ae426082", "hex");
  const path = { id: user.id };
  const changed = await client.call("users_update", { path, body: { first_name: "Zoë" }, avatar: { name: "ü.png", content: new Blob([red], { type: "image/png" }) } });
  assert.equal(changed.first_name, "Zoë");
  assert.ok(changed.avatar);
  const seen = await client.call("users_retrieve", { path });
  const ifMatch = info(seen).etag;
  assert.equal((await client.call("users_update", { path, body: { last_name: "Q" }, ifMatch })).full_name, "Zoë Q");
  assert.ok((await refusal(() => client.call("users_update", { path, body: { last_name: "R" }, ifMatch }))) instanceof kit.PreconditionFailed);
  const issued = await client.call("users_tokens_create", { path, body: { name: "kit" } });
  const theirs = new Client(process.env.WARDROOM_URL, { key: issued.key });
  const denied = await refusal(() => theirs.call("users_me_retrieve"));
  assert.ok(denied instanceof kit.Forbidden && denied.code === "permission_denied" && denied.requestId);
  assert.match((await client.call("users_me_avatar")).svg, /^<svg/);
  await client.call("users_destroy", { path });
  assert.ok((await refusal(() => client.call("users_retrieve", { path }))) instanceof kit.NotFound);
  await client.call("users_deleted_purge", { path });
  const made = await client.call("users_bulk_create", { body: { users: Array.from({ length: 25 }, (_, number) => ({ username: `sheet${number}` })) } });
  const ids = made.users.map((one) => one.id).sort((a, b) => a - b);
  const pages = [];
  for await (const one of client.iterate("users_list", { query: { search: "sheet", ordering: "id", limit: 4 } })) pages.push(one.id);
  assert.deepEqual(pages, ids);
  await client.call("users_bulk_destroy", { body: { users: ids } });
  const [events, exported] = [new Set(), new Set()];
  for await (const event of client.iterate("audit_list", { query: { limit: 7 } })) events.add(event.id);
  for await (const event of client.exportAudit()) exported.add(event.id);
  assert.ok([...events].every((id) => exported.has(id)) && events.size > 20);
});
