// Axe on every page: light, dark and forced colours, narrow and wide, with and without errors. And nothing is wider than its window.
import { mistake, mistakes, places } from "./places.mjs";
import { AxeBuilder } from "./tools.mjs";

const TAGS = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"];
export const SCHEMES = [
  ["light", { colorScheme: "light", forcedColors: "none" }],
  ["dark", { colorScheme: "dark", forcedColors: "none" }],
  ["forced colours", { colorScheme: "dark", forcedColors: "active" }],
];
export const WIDTHS = [320, 1280];

/** The page as it is now, in every scheme. */
async function judge(person, name, width) {
  const where = `axe ${name}, ${width} px`;
  for (const [scheme, media] of SCHEMES) {
    await person.page.emulateMedia(media);
    const found = await new AxeBuilder({ page: person.page }).withTags(TAGS).setLegacyMode(true).analyze();
    for (const { id, nodes, help } of found.violations) {
      person.faults.add(`${where}, ${scheme}`, `${id} (${help}): ${nodes.slice(0, 3).map((node) => node.html.slice(0, 160)).join(" ")}`);
    }
    person.faults.check(found.passes.length > 10, `${where}, ${scheme}`, `axe checked only ${found.passes.length} rules`);
  }
  await fits(person, where, width);
}

/** Pages never scroll sideways. */
export async function fits(person, where, width) {
  const wide = await person.page.evaluate(() => {
    const limit = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= limit) return null;
    const over = [...document.querySelectorAll("main *")].find((one) => one.getBoundingClientRect().right > limit + 1 || one.getBoundingClientRect().left < -1);
    return `${document.documentElement.scrollWidth} px wide, because of ${over?.outerHTML.slice(0, 200)}`;
  });
  person.faults.check(!wide, where, `is ${wide} in a window of ${width} px`);
}

/** What can be opened on a page is judged open. */
async function openAll(person) {
  return person.page.evaluate(() => {
    const all = document.querySelectorAll("main details:not([open])");
    for (const one of all) one.open = true;
    return all.length;
  });
}

export async function judgeEverything(person, s, width) {
  for (const one of places(s)) {
    await person.go(one.path, one.status);
    await judge(person, one.name, width);
    if (["users", "user", "audit", "groups", "tokens"].includes(one.name) && await openAll(person)) await judge(person, `${one.name}, opened`, width);
  }
  for (const one of mistakes(s)) {
    await mistake(person, one);
    await judge(person, `${one.name}, with mistakes`, width);
  }
}

/** The rail as it is on a narrow window, and the list of keys. */
export async function judgePopovers(person, width) {
  await person.go("/admin/users");
  if (width < 1024) {
    await person.page.getByRole("button", { name: "Menu" }).click();
    await judge(person, "the rail, opened", width);
    await person.page.keyboard.press("Escape");
  }
  await person.page.evaluate(() => document.getElementById("keys").showPopover());
  await judge(person, "the list of keys", width);
}

/** Pages for who is not signed in. */
export async function judgeOutside(person, width) {
  await person.go("/admin/sign-in");
  await judge(person, "sign-in", width);
  await person.fill({ "User name": "nobody", Password: "wrong" });
  await person.press("Sign in");
  await judge(person, "sign-in, with mistakes", width);
}
