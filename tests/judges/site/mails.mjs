// People who get mails: an invitation, a link for a forgotten password, and a code to sign in with.
import { createServer } from "node:http";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";

import { judge } from "./axe.mjs";
import { Person } from "./people.mjs";
import { Front, Wardroom } from "./wardroom.mjs";

const CHOSEN = ["nine green lamps above the stairs", "ten paper boats in the harbour"];

/** A webhook that takes every message, and hands out each once. */
class Receiver {
  static async open() {
    const receiver = new Receiver();
    receiver.taken = [];
    receiver.waiting = [];
    receiver.server = createServer((asked, answer) => {
      const parts = [];
      asked.on("data", (part) => parts.push(part));
      asked.on("end", () => {
        answer.writeHead(204).end();
        receiver.take(JSON.parse(Buffer.concat(parts)));
      });
    });
    await new Promise((resolve) => receiver.server.listen(0, "127.0.0.1", resolve));
    receiver.url = `http://127.0.0.1:${receiver.server.address().port}/`;
    return receiver;
  }

  take(message) {
    const at = this.waiting.findIndex((one) => one.type === message.type);
    if (at < 0) this.taken.push(message);
    else this.waiting.splice(at, 1)[0].resolve(message.data);
  }

  /** The next message of a type. */
  next(type) {
    const at = this.taken.findIndex((message) => message.type === type);
    if (at >= 0) return Promise.resolve(this.taken.splice(at, 1)[0].data);
    return new Promise((resolve) => { this.waiting.push({ type, resolve }); });
  }

  stop() {
    this.server.closeAllConnections();
    this.server.close();
  }
}

/** The path of the link in a mail. */
function linkOf(mail, origin) {
  const found = mail.text.match(/https?:\/\/\S+/)[0];
  if (!found.startsWith(`${origin}/admin/password/`)) throw new Error(`a link leads to ${found}`);
  return found.slice(origin.length);
}

/** A Wardroom that sends messages to a receiver. Its links lead through the front. */
async function start(binary, kind, front, receiver, secrets) {
  const wardroom = new Wardroom(binary, kind);
  const file = (name, text) => {
    writeFileSync(`${secrets}/${name}`, `${text}\n`, { mode: 0o600 });
    return `${secrets}/${name}`;
  };
  const secret = file("webhook-secret", `whsec_${randomBytes(32).toString("base64")}`);
  const key = file("secrets-key", randomBytes(32).toString("base64"));
  await wardroom.begin({ settings: ["--public-url", front.origin, "--secrets-key-file", key, "--mail-provider", "webhook",
    "--sms-provider", "webhook", "--message-webhook-url", receiver.url, "--message-webhook-secret-file", secret,
    "--outbound-networks", "127.0.0.1", "--otp-sign-in", "true", "--contact-settle", "0s"] });
  return wardroom;
}

/** An admin invites someone, sends the invitation again, and revokes another one. Returns what the mails of it said. */
async function invite(admin, receiver, origin) {
  await admin.signIn();
  await admin.go("/admin/users/new");
  await admin.fill({ "User name": "invited", "E-mail": "invited@example.com" });
  await admin.tick("Send an invitation");
  await admin.press("Create user");
  const first = linkOf(await receiver.next("invitation.requested"), origin);
  const at = new URL(admin.page.url()).pathname;
  await admin.go(`${at}/invite`);
  await admin.press("Send the invitation");
  await admin.sees("The invitation is on its way.");
  const second = linkOf(await receiver.next("invitation.requested"), origin);
  await admin.go(`${at}/uninvite`);
  await admin.press("Revoke the invitation");
  await admin.sees("The invitation is revoked.");
  await admin.go(`${at}/invite`);
  await admin.press("Send the invitation");
  const third = linkOf(await receiver.next("invitation.requested"), origin);
  return { ended: [first, second], good: third };
}

async function choose(person, path, password) {
  await person.go(path);
  await person.fill({ "New password": password, "New password again": password });
  await person.press("Set the password");
}

/** Walks through all of it. `seen` gets every exchange; `where` names the database and whether scripts are on. */
export async function judgeMails(player, binary, kind, faults, { where, hasScripts, seen }) {
  const receiver = await Receiver.open();
  const behind = {};
  const front = await Front.start(behind, { seen });
  const secrets = mkdtempSync(`${tmpdir()}/wardroom-secrets-`);
  const wardroom = await start(binary, kind, front, receiver, secrets);
  behind.port = wardroom.port;
  const arrive = (name, width) => Person.arrive(player, front.origin, faults,
    { where: `${where}, ${name}`, javaScriptEnabled: hasScripts, viewport: { width, height: 900 } });
  const [admin, person] = [await arrive("who invites", 1280), await arrive("who gets mails", 320)];
  try {
    const links = await invite(admin, receiver, front.origin);
    for (const path of links.ended) {
      await person.go(path, 404);
      await person.sees("This link does not work");
    }
    await person.go(links.good);
    if (hasScripts) await judge(person, "a link", 320);
    await person.fill({ "New password": CHOSEN[0], "New password again": CHOSEN[1] });
    await person.press("Set the password");
    await person.sees("The two passwords differ.");
    await choose(person, links.good, CHOSEN[0]);
    await person.sees("Sign in");

    const codes = Object.fromEntries((await wardroom.api("GET", "/api/users/permissions")).map((one) => [one.code, one.id]));
    const [{ id }] = (await wardroom.api("GET", "/api/users?username=invited")).results;
    await wardroom.api("PATCH", `/api/users/${id}`, { is_staff: true, permissions: [codes[1222]], mobile_number: "+989120001000" });
    await person.signIn("invited", CHOSEN[0]);
    await person.context.clearCookies();

    await person.go("/admin/sign-in");
    await person.follow("Forgot your password?", { within: person.page.locator("body") });
    if (hasScripts) await judge(person, "a forgotten password", 320);
    await person.fill({ "E-mail or user name": "invited@example.com" });
    await person.press("Send the link");
    await person.sees("a link is on its way");
    const reset = linkOf(await receiver.next("password_reset.requested"), front.origin);
    await choose(person, reset, CHOSEN[1]);
    await person.go(reset, 404);
    await receiver.next("notice.requested");
    await person.signIn("invited", CHOSEN[1]);
    await person.context.clearCookies();

    await person.go("/admin/sign-in");
    await person.follow("Sign in with a code instead", { within: person.page.locator("body") });
    if (hasScripts) await judge(person, "asking for a code", 320);
    await (await person.one(person.main().locator("#contact"), "the contact")).fill("+98 912 000 1000");
    await person.press("Send a code");
    const { code } = await receiver.next("otp.requested");
    await person.fill({ Code: code === "000000" ? "000001" : "000000" });
    await person.press("Sign in");
    await person.sees("Type it again.");
    if (hasScripts) await judge(person, "a wrong code", 320);
    await person.fill({ Code: code });
    await person.press("Sign in");
    await person.page.waitForURL((url) => url.pathname === "/admin");
  } catch (error) {
    faults.add(`${where}, mails ${person.page.url()} ${admin.page.url()}`, error.stack);
  } finally {
    await Promise.all([admin.leave(), person.leave()]);
    await wardroom.stop();
    front.stop();
    receiver.stop();
    rmSync(secrets, { recursive: true });
  }
}
