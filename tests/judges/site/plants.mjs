// A judge that cannot fail judges nothing. Each plant is a fault that the front puts into pages, requests or assets, the judge that
// has to find it, and what it has to say. SITE_PLANT=name node run.mjs WARDROOM PLACE runs one; SITE_PLANT=all runs each in turn.
const page = (from, to) => ({ body: (text, { type }) => (type.startsWith("text/html") ? text.replaceAll(from, to) : text) });
const css = (added) => ({ body: (text, { type }) => (type.startsWith("text/css") ? `${text}\n${added}` : text) });
const js = (from, to) => ({ body: (text, { type }) => (type.includes("javascript") ? text.replaceAll(from, to) : text) });

export const PLANTS = {
  "a form leads nowhere": { judge: "half", says: /walk|users|groups/, ...page('action="/admin/groups/new"', 'action="/admin/groups/nowhere"') },
  "a page fails": { judge: "half", says: /status 500/, status: ({ path }) => (path === "/admin/settings" ? 500 : null) },
  "a route is never walked": { judge: "half", says: /never uses GET \/admin\/forgotten/, route: { method: "GET", path: "/admin/forgotten", pattern: /^$/ } },
  "a key is shown again": { judge: "half", says: /shows a whole key/, ...page("</main>", "<p>wrd_GpUAHMr0gCQTYxA4w12N5CY4M5RLPI2JUUVj</p></main>") },
  "a policy is weaker": { judge: "half", says: /content-security-policy/, headers: (headers) => ({ ...headers, "content-security-policy": headers["content-security-policy"]?.replace("script-src 'self'", "script-src 'self' 'unsafe-inline'") ?? "" }) },
  "an inline style": { judge: "half", says: /console: .*Content Security Policy/, ...page("<h1>", '<h1 style="color: red">') },
  "a field without a label": { judge: "axe", says: /label/, ...page('<label for="f-username">', '<label>') },
  "a grey that is too light, in dark": { judge: "axe", says: /dark: color-contrast/, ...css("@media (prefers-color-scheme: dark) { .sub { color: #444 !important; } }") },
  "a page that is too wide": { judge: "axe", says: /px wide/, ...css("main > .page { min-inline-size: 30rem; }") },
  "markup that is not valid": { judge: "html", says: /^(vnu|html-validate) /, ...page("<h1>", "<p><div>x</div></p><h1>") },
  "a language that is missing": { judge: "lighthouse", says: /lighthouse.*accessibility is/, ...page('lang="en-GB"', "") },
  "forms of others are accepted": { judge: "csrf", says: /status (200|303)/, asked: (headers) => ({ ...headers, "sec-fetch-site": "same-origin" }) },
  "a text becomes markup": { judge: "payloads", says: /a text became markup/, ...page("&#60;img src=x onerror=hook(2)&#62;", "<img src=x onerror=hook(2)>") },
  "a handler fires": { judge: "payloads", says: /the hook fired/, headers: ({ "content-security-policy": _, ...kept }) => kept, ...page("&#60;img src=x onerror=hook(2)&#62;", "<img src=x onerror=hook(2)>") },
  "the focus is invisible": { judge: "keyboard", says: /is not visible/, ...css(":focus-visible, :focus { outline: 0 !important; }") },
  "a key acts in fields": { judge: "keyboard", says: /single keys act|keyboard:/, ...js("input:not([type=checkbox]), select, textarea", "nothing") },
  "a list is not announced": { judge: "lists", says: /nothing was announced/, ...js("say(fresh.dataset.said)", "say('')") },
  "the address does not follow": { judge: "lists", says: /the (second page|address) is/, ...js("history.pushState({ list: true }, \"\", url)", "0") },
  "the focus is lost": { judge: "lists", says: /the focus is on BODY/, ...js("fresh.focus();", "") },
  "buttons cover each other": { judge: "axe", says: /layout .* covers/, ...css(".btn { margin-right: -2rem; }") },
  "a name without a direction": { judge: "axe", says: /no direction of their own/, body: (text, { type }) => (type.startsWith("text/html") ? text.replace(/<\/?bdi[^>]*>/g, "").replaceAll('dir="auto"', "") : text) },
};
