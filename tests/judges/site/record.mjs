// What the fronts have seen: which routes were used, and whether each page has the headers that it must have.
import { readFileSync } from "node:fs";

import { ROOT } from "./tools.mjs";

export const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; " +
  "frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types wardroom";
const KEY = /\bwrd_[0-9A-Za-z]{20,}\b/;
// The code of the link that makes the first admin. It looks like a key and is none: it opens one page, until there is a user.
const SET_UP = "/admin/set-up";
// The pages that may show a key: those after the form that made it.
const SHOWS_A_KEY = ["POST /admin/users/{id}/tokens/new", "POST /admin/tokens/{id}/rotate"];
// One page of each kind is enough for the validators, and for some kinds a few.
const PAGES_OF_A_KIND = 4;

/** The routes of the site, from the source: a new page that no judge walks is a fault. */
export function routes() {
  const source = readFileSync(`${ROOT}src/http/admin/mod.rs`, "utf8");
  const found = [];
  for (const [, path, rest] of source.matchAll(/\.route\(\s*"(\/admin[^"]*)",\s*((?:[^()]|\((?:[^()]|\([^()]*\))*\))*)\)/g)) {
    if (path.includes("{*")) continue;
    for (const method of ["get", "post"]) if (new RegExp(`\\b${method}\\(`).test(rest)) found.push({ method: method.toUpperCase(), path });
  }
  const csv = readFileSync(`${ROOT}src/http/admin/csv.rs`, "utf8");
  for (const [, path] of csv.matchAll(/\("(\/admin[^"]*\.csv)", List::/g)) found.push({ method: "GET", path });
  for (const path of ["/admin/account/picture", "/admin/users/{id}/picture", "/admin/forgot"]) for (const method of ["GET", "POST"]) found.push({ method, path });
  if (found.length < 75) throw new Error(`only ${found.length} routes found in the source of the site`);
  const weight = (path) => (path.match(/\{/g) ?? []).length;
  for (const one of found) one.pattern = new RegExp(`^${one.path.replace(/\{\w+\}/g, "[^/]+").replace(/\./g, "\\.")}$`);
  return found.sort((a, b) => weight(a.path) - weight(b.path));
}

export class Record {
  constructor(faults) {
    this.faults = faults;
    this.routes = routes();
    this.pages = new Map();
    this.used = new Map();
  }

  route(method, path) {
    const bare = path.split("?")[0];
    const found = this.routes.find((one) => one.method === method && one.pattern.test(bare));
    return found ? `${found.method} ${found.path}` : null;
  }

  /** The `seen` of a front. `way` names the database and whether scripts are on. */
  seer(way) {
    const used = new Set();
    this.used.set(way, used);
    return (exchange) => this.see(way, used, exchange);
  }

  see(way, used, { method, path, status, headers, body }) {
    const route = this.route(method, path);
    if (route && status < 400) used.add(route);
    const where = `${way}: ${method} ${path} (${status})`;
    const check = (is, what) => this.faults.check(is, where, what);
    if (path.startsWith("/admin/assets/")) {
      check(headers["cache-control"] === "public, max-age=31536000, immutable", `cache-control: ${headers["cache-control"]}`);
      return;
    }
    if (!path.startsWith("/admin")) return;
    check(status < 500 || status === 503, "is an error of the server");
    check(headers["cache-control"] === "no-store", `cache-control: ${headers["cache-control"]}`);
    check(headers["content-security-policy"] === POLICY, `content-security-policy: ${headers["content-security-policy"]}`);
    // The address of a link has its key: other pages of the site are not shown it either.
    const referrer = path.startsWith("/admin/password/") ? "strict-origin" : "same-origin";
    check(headers["referrer-policy"] === referrer, `referrer-policy: ${headers["referrer-policy"]}`);
    check(headers["x-content-type-options"] === "nosniff", `x-content-type-options: ${headers["x-content-type-options"]}`);
    for (const cookie of [headers["set-cookie"] ?? []].flat()) this.seeCookie(check, cookie);
    if (path.split("?")[0] !== SET_UP) check(!KEY.test(headers.location ?? "") && !KEY.test(path), "an address has a key");
    if (!(headers["content-type"] ?? "").startsWith("text/html")) return;
    const html = body.toString();
    if (!SHOWS_A_KEY.includes(route) && path.split("?")[0] !== SET_UP) check(!KEY.test(html), "a page shows a whole key");
    // Names that are made of markup make titles that are too long, and nobody has such a name.
    if (way !== "payloads") this.keep(`${route ?? path} ${status}`, html);
  }

  seeCookie(check, cookie) {
    if (cookie.startsWith("wardroom-look=")) return;
    check(/^__Host-wardroom=[^;]*; Path=\/; Secure; HttpOnly; SameSite=Lax(; Max-Age=0)?$/.test(cookie), `cookie: ${cookie.replace(/=[^;]*/, "=…")}`);
  }

  keep(kind, html) {
    const kept = this.pages.get(kind) ?? [];
    this.pages.set(kind, kept);
    if (kept.length < PAGES_OF_A_KIND && !kept.includes(html)) kept.push(html);
  }

  /** Every route has to have been used, in each way. */
  complete() {
    for (const [way, used] of this.used) {
      if (!way.includes("scripts")) continue;
      for (const one of this.routes) {
        const name = `${one.method} ${one.path}`;
        this.faults.check(used.has(name), way, `the judge never uses ${name} with success`);
      }
    }
  }
}
