// Forms that other sites send: refused, without a change, and recorded. In a real browser, over plain HTTP and TLS.
import { createServer } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { request } from "node:http";

import { Person } from "./people.mjs";
import { Front, PASSWORD, Wardroom, madeCertificate } from "./wardroom.mjs";

/** A site of somebody else. It serves pages with a form that sends itself, or that a sandboxed frame sends. */
class Attacker {
  static async start(host, tls) {
    const one = new Attacker();
    const answer = (asked, answering) => {
      const url = new URL(asked.url, "http://x");
      const [action, kind] = [url.searchParams.get("action"), url.pathname];
      answering.writeHead(200, { "Content-Type": "text/html; charset=utf-8", ...(kind === "/no-referrer" && { "Referrer-Policy": "no-referrer" }) });
      answering.end(page(kind, action, url.searchParams));
    };
    one.server = tls ? createSecureServer(madeCertificate(), answer) : createServer(answer);
    await new Promise((resolve) => one.server.listen(0, "127.0.0.1", resolve));
    one.origin = `${tls ? "https" : "http"}://${host}:${one.server.address().port}`;
    return one;
  }

  stop() {
    this.server.closeAllConnections();
    this.server.close();
  }
}

const escaped = (text) => text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);

function page(kind, action, values) {
  const inputs = [...values].filter(([name]) => name !== "action").map(([name, value]) => `<input type="hidden" name="${escaped(name)}" value="${escaped(value)}">`).join("");
  const form = `<form id="f" method="post" action="${escaped(action ?? "")}">${inputs}</form><script>document.getElementById("f").submit()</script>`;
  if (kind === "/frame") return `<!DOCTYPE html><title>frame</title><iframe sandbox="allow-forms allow-scripts" srcdoc="${escaped(form)}"></iframe>`;
  if (kind === "/fetch") return `<!DOCTYPE html><title>fetch</title><script>fetch(${JSON.stringify(action)}, { method: "POST", credentials: "include", mode: "no-cors", body: new URLSearchParams(location.search) })</script>`;
  return `<!DOCTYPE html><title>form</title>${form}`;
}

/** What somebody would like another's browser to send. */
function wishes(id, group) {
  return [
    [`/admin/users/${id}/deactivate`, {}],
    [`/admin/users/${id}/edit`, { username: "taken.over", first_name: "Taken" }],
    [`/admin/groups/${group}/delete`, { version: "0" }],
    ["/admin/users/bulk", { do: "delete", confirmed: "true", id }],
    ["/admin/look", { theme: "dark" }],
    ["/admin/sign-out", {}],
    // Signing somebody in as somebody else is an attack, too.
    ["/admin/sign-in", { username: "mallory", password: PASSWORD }],
  ];
}

async function state(wardroom, id, group) {
  const [user, one, tokens] = await Promise.all([wardroom.api("GET", `/api/users/${id}`), wardroom.api("GET", `/api/users/groups/${group}`), wardroom.api("GET", "/api/users/tokens?kind=browser&state=active&limit=100")]);
  return JSON.stringify([user.username, user.first_name, user.is_active, one.name, tokens.results.map((token) => token.id)]);
}

const refusals = async (wardroom) => (await wardroom.api("GET", "/api/users/audit?action=request.refused&limit=100")).results.length;

/** One site as its users see it, and its attackers. */
async function attack(player, wardroom, faults, { name, host, tls, strangers, ids }) {
  const answers = [];
  const front = await Front.start(wardroom, { host, tls, seen: (one) => one.method === "POST" && answers.push(one) });
  const victim = await Person.arrive(player, front.origin, faults, { where: `csrf ${name}` });
  const attackers = await Promise.all(strangers.map((stranger) => Attacker.start(stranger, tls)));
  try {
    await victim.signIn();
    const before = await state(wardroom, ...ids);
    const [cookie] = (await victim.context.cookies()).filter((one) => one.name.endsWith("wardroom"));
    // A page of its own, because what the browser says of a refused form is no fault of the site.
    const other = await victim.context.newPage();
    let sent = 0;
    for (const [at, attacker] of attackers.entries()) {
      for (const way of ["/form", "/no-referrer", "/frame", "/fetch"]) {
        for (const [path, values] of wishes(...ids)) {
          const where = `csrf ${name}, ${strangers[at]} ${way} to ${path}`;
          const many = answers.length;
          const asked = new URLSearchParams({ action: front.origin + path, ...values });
          await other.goto(`${attacker.origin}${way}?${asked}`, { waitUntil: "commit" }).catch(() => {});
          for (const end = Date.now() + 20_000; answers.length === many && Date.now() < end;) await new Promise((done) => setTimeout(done, 5));
          const answer = answers[many];
          if (!faults.check(answer, where, "the form never arrived")) continue;
          sent += 1;
          faults.check(answer.status === 403, where, `status ${answer.status}`);
          faults.check(!answer.headers["set-cookie"], where, "a cookie was set");
          faults.check(answer.asked["sec-fetch-site"] !== "same-origin" && answer.asked.origin !== front.origin, where, "it looks like a form of the site");
        }
      }
    }
    faults.check(await state(wardroom, ...ids) === before, `csrf ${name}`, `changed ${before} to ${await state(wardroom, ...ids)}`);
    await byHand(wardroom, faults, name, front, cookie, ids);
    faults.check(await state(wardroom, ...ids) === before, `csrf ${name}, by hand`, "something was changed");
    // The session is as it was, and forms of the site itself work.
    await victim.go("/admin/account");
    await victim.fill({ "First name": `Safe at ${name}` });
    await victim.press("Save profile");
    await victim.sees("Your profile is saved.");
    return sent;
  } finally {
    await victim.leave();
    front.stop();
    for (const attacker of attackers) attacker.stop();
  }
}

/** Headers that no browser sends, or that some leave out. */
async function byHand(wardroom, faults, name, front, cookie, [id]) {
  for (const [headers, status] of [
    [{}, 403],
    [{ referer: `${front.origin}/admin/users` }, 403],
    [{ origin: "null" }, 403],
    [{ origin: "http://foreign.test" }, 403],
    [{ origin: `${front.origin}.foreign.test` }, 403],
    [{ origin: front.origin.replace(/:\d+$/, ":1") }, 403],
    [{ origin: front.origin.replace("//", "//foreign.") }, 403],
    [{ "sec-fetch-site": "same-site", origin: front.origin }, 403],
    [{ "sec-fetch-site": "none", origin: front.origin }, 403],
    [{ "sec-fetch-site": "cross-site", origin: front.origin }, 403],
    [{ "sec-fetch-site": "", origin: front.origin }, 403],
    [{ "sec-fetch-site": "same-origin, cross-site" }, 403],
    // What is good passes: the judge would not notice otherwise that everything is refused.
    [{ origin: front.origin }, 303],
    [{ "sec-fetch-site": "same-origin" }, 303],
  ]) {
    const path = status === 303 ? "/admin/look" : `/admin/users/${id}/deactivate`;
    const answered = await post(wardroom, path, status === 303 ? "theme=light" : "", { host: new URL(front.origin).host, cookie: `${cookie.name}=${cookie.value}`, ...(front.origin.startsWith("https") && { "x-forwarded-proto": "https" }), ...headers });
    faults.check(answered === status, `csrf ${name}, by hand ${JSON.stringify(headers)}`, `status ${answered}, and not ${status}`);
  }
}

function post(wardroom, path, body, headers) {
  return new Promise((resolve, reject) => {
    const on = request({ host: "127.0.0.1", port: wardroom.port, method: "POST", path, headers: { ...headers, "content-type": "application/x-www-form-urlencoded", "content-length": Buffer.byteLength(body) } }, (answer) => {
      answer.resume();
      answer.on("end", () => resolve(answer.statusCode));
    });
    on.on("error", reject);
    on.end(body);
  });
}

/** `start` makes a Wardroom with settings. Returns how many forms were sent. */
export async function judge(player, binary, kind, faults) {
  const settings = ["--allowed-hosts", "localhost,127.0.0.1,wardroom.test,other.wardroom.test", "--admin-insecure", "true"];
  const wardroom = await Wardroom.start(binary, kind, { settings });
  let sent = 0;
  try {
    const user = await wardroom.api("POST", "/api/users", { username: "victim", first_name: "Vic", is_staff: true });
    await wardroom.api("POST", "/api/users", { username: "mallory", password: PASSWORD, is_admin: true });
    const group = await wardroom.api("POST", "/api/users/groups", { name: "Keepers" });
    const ids = [String(user.id), String(group.id)];
    const before = await refusals(wardroom);
    for (const site of [
      // Another port of the same host is the same site to a browser.
      { name: "localhost", host: "localhost", tls: false, strangers: ["localhost", "foreign.test"] },
      { name: "TLS", host: "wardroom.test", tls: true, strangers: ["wardroom.test", "other.wardroom.test", "foreign.test"] },
      { name: "plain HTTP", host: "wardroom.test", tls: false, strangers: ["wardroom.test", "foreign.test"] },
    ]) sent += await attack(player, wardroom, faults, { ...site, ids });
    faults.check(await refusals(wardroom) > before, "csrf", "no refusal is in the audit trail");
  } finally {
    await wardroom.stop();
  }
  return sent;
}
