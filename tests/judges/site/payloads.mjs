// Texts that want to be markup or script, in every field that somebody can choose. Every page is then loaded with a hook that
// must never fire: not by script, not by a handler, not by an address, and no element may come out of a text.
import { places } from "./places.mjs";
import { Person } from "./people.mjs";

// `hook` is a function that each page has.
export const PAYLOADS = [
  "<script>hook(1)</script>", "<script src=//foreign.test/x.js></script>", "<img src=x onerror=hook(2)>", "<svg onload=hook(3)>", "<svg><script>hook(4)</script></svg>",
  "\"><script>hook(5)</script>", "'><script>hook(6)</script>", "\" autofocus onfocus=hook(7) x=\"", "' autofocus onfocus=hook(8) x='", "` onmouseover=hook(9) x=`",
  "</title><script>hook(10)</script>", "</textarea><script>hook(11)</script>", "</option></select><img src=x onerror=hook(12)>", "</script><script>hook(13)</script>", "--><script>hook(14)</script>",
  "]]><script>hook(15)</script>", "<iframe srcdoc='<script>parent.hook(16)</script>'></iframe>", "<iframe src=javascript:parent.hook(17)></iframe>", "<a href=javascript:hook(18)>x</a>", "javascript:hook(19)",
  "java\tscript:hook(20)", "data:text/html,<script>parent.hook(21)</script>", "<body onload=hook(22)>", "<details open ontoggle=hook(23)>", "<video><source onerror=hook(24)>",
  "<math><mi xlink:href=javascript:hook(25)>x</mi></math>", "<style>@import'//foreign.test/x'</style>", "<link rel=stylesheet href=//foreign.test/x>", "<meta http-equiv=refresh content=0;url=//foreign.test>", "<base href=//foreign.test/>",
  "<form action=//foreign.test><input name=id value=1>", "{{constructor.constructor('hook(32)')()}}", "${hook(33)}", "<%= hook(34) %>", "&lt;script&gt;hook(35)&lt;/script&gt;",
  "&#60;script&#62;hook(36)&#60;/script&#62;", "\u003cscript\u003ehook(37)\u003c/script\u003e", "<scr\u200bipt>hook(38)</scr\u200bipt>", "<ScRiPt/x>hook(39)</sCrIpT>", "\u202e<img src=x onerror=hook(40)>",
];

export const HOOK = "window.fired = []; window.hook = (number) => window.fired.push(number); for (const name of ['alert', 'confirm', 'prompt']) window[name] = (text) => window.fired.push(`${name} ${text}`);";
// What no text may become. The site has none of these, or none without its own attributes.
const MARKS = "iframe, video, source, math, base, object, embed, style, script:not([src^='/admin/assets/']), img:not([src^='/']), [onerror], [onload], [onfocus], [onmouseover], [ontoggle], a[href^='javascript:' i], a[href^='data:' i], form[action*='foreign'], meta[http-equiv], link[href*='foreign']";

/** Puts the payloads wherever the API takes a text; returns in how many places they are. */
export async function plant(wardroom) {
  let planted = 0;
  const made = { users: [], groups: [], tokens: [], permissions: [] };
  const attempt = async (kind, method, path, body) => {
    try {
      const one = await wardroom.api(method, path, body);
      if (one?.id) made[kind].push(one.id);
      planted += 1;
    } catch (error) {
      // Refusing it is as good as showing it inert.
      if (!/: 400 /.test(error.message)) throw error;
    }
  };
  for (const [at, payload] of PAYLOADS.entries()) {
    const short = [...payload].slice(0, 100).join("");
    await attempt("groups", "POST", "/api/users/groups", { name: payload, notes: payload });
    await attempt("users", "POST", "/api/users", { username: `payload-${at}`, first_name: payload, last_name: payload, is_staff: true, groups: made.groups.slice(-1) });
    for (const field of [{ username: payload }, { email: `${payload}@example.com` }, { email: payload }, { mobile_number: payload }, { gender: payload }]) {
      await attempt("users", "PATCH", `/api/users/${made.users.at(-1)}`, field);
    }
    await attempt("tokens", "POST", `/api/users/${made.users.at(-1)}/tokens`, { name: short });
    await attempt("tokens", "POST", `/api/users/${made.users.at(-1)}/tokens`, { name: "scopes", scopes: [short], allowed_networks: [short] });
    await attempt("permissions", "POST", "/api/users/permissions", { name: payload });
    // The name of somebody unknown is recorded, with the address and the program.
    await fetch(`http://127.0.0.1:${wardroom.port}/api/users/auth/pwd/signin`, { method: "POST", headers: { "Content-Type": "application/json", "X-Forwarded-For": "203.0.113." + at }, body: JSON.stringify({ username: payload, password: payload }) });
  }
  await wardroom.api("DELETE", `/api/users/${made.users[0]}`);
  await wardroom.api("DELETE", `/api/users/groups/${made.groups[0]}`);
  return { planted, made };
}

/** Loads every page. What is in an address or typed into a form comes back, too. */
export async function judge(player, front, s, { made }, faults) {
  const person = await Person.arrive(player, front.origin, faults, { where: "payloads", hook: HOOK, userAgent: "<script>hook(0)</script> Mozilla/5.0" });
  let loaded = 0;
  const look = async (where) => {
    loaded += 1;
    // Every field gets the focus once, because a handler may wait for that.
    const { fired, marks } = await person.page.evaluate((marks) => {
      for (const one of document.querySelectorAll("input:not([type=hidden]), select, textarea, summary, a[href]")) {
        one.focus();
        one.dispatchEvent(new MouseEvent("mouseover", { bubbles: true }));
      }
      return { fired: window.fired, marks: [...document.querySelectorAll(marks)].map((one) => one.outerHTML.slice(0, 120)) };
    }, MARKS);
    faults.check(Array.isArray(fired) && fired.length === 0, `payloads ${where}`, `the hook fired: ${JSON.stringify(fired)}`);
    faults.check(marks.length === 0, `payloads ${where}`, `a text became markup: ${marks.join(" ")}`);
  };
  const open = async (path, status) => {
    await person.go(path, status);
    await look(path);
  };
  await person.signIn();
  for (const { path, status } of places(s)) await open(path, status);
  for (const list of ["/admin/users?ordering=-id", "/admin/groups?ordering=-id", "/admin/tokens?ordering=-id", "/admin/tokens?kind=sign_in", "/admin/audit", "/admin/bin", "/admin/bin/groups", "/admin/sessions"]) {
    for (let path = list, pages = 0; path && pages < 8; pages += 1) {
      await open(path);
      const next = person.page.locator("#list a[rel=next]");
      path = await next.count() ? await next.getAttribute("href") : null;
    }
  }
  const user = made.users[1], group = made.groups[1], token = made.tokens.at(-1);
  for (const path of [`users/${user}`, `users/${user}/edit`, `users/${user}/rights`, `users/${user}/groups`, `users/${user}/delete`, `users/${user}/tokens/new`, `groups/${group}`, `groups/${group}/edit`, `groups/${group}/delete`,
    `groups/${group}/members/add?search=payload`, `groups/${group}/members/remove?users=${made.users.slice(1, 40).join("&users=")}`, `tokens/${token}`, `tokens/${token}/edit`, `tokens/${token}/revoke`, `permissions/${made.permissions[0] ?? s.own}`]) {
    await open(`/admin/${path}`);
  }
  for (const id of made.users.slice(2, 40).filter((_, at) => at % 4 === 0)) await open(`/admin/users/${id}`);
  for (const [at, payload] of PAYLOADS.entries()) {
    const text = encodeURIComponent(payload);
    const others = [`audit?actor_name=${text}&from=${text}`, `groups?search=${text}`, `sign-in?next=${text}`, `bin?search=${text}`, `tokens?name=${text}&scope=${text}&${text}=1`, `permissions?search=${text}`];
    for (const path of [`users?search=${text}&${text}=${text}&created_from=${text}`, others[at % others.length]]) {
      const answer = await person.page.goto(`/admin/${path}`);
      faults.check(answer.status() < 500, `payloads ${path}`, `status ${answer.status()}`);
      await look(path);
    }
  }
  // What is typed comes back in the form.
  for (let at = 0; at < PAYLOADS.length; at += 5) {
    const [one, two, three, four, five] = PAYLOADS.slice(at, at + 5);
    await person.go("/admin/users/new");
    await person.fill({ "User name": one, "First name": two, "Last name": three, "E-mail": four, "Mobile number": five });
    await person.press("Create user");
    await look("a new user with mistakes");
    await person.go("/admin/permissions/new");
    await person.fill({ Name: one, "Code, if you need a certain one": two });
    await person.press("Create permission");
    await look("a new permission with mistakes");
  }
  await person.leave();
  return loaded;
}
