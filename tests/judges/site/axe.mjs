// Axe on every page: light, dark and forced colours, narrow and wide, with and without errors. And nothing is wider than its window.
import { judgeDirection } from "./direction.mjs";
import { fits } from "./fits.mjs";
import { mistake, mistakes, places } from "./places.mjs";
import { AXE } from "./tools.mjs";

const TAGS = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"];
export const SCHEMES = [
  ["light", { colorScheme: "light", forcedColors: "none" }],
  ["dark", { colorScheme: "dark", forcedColors: "none" }],
  ["forced colours", { colorScheme: "dark", forcedColors: "active" }],
];
export const WIDTHS = [320, 1280];

// Markup is the same in every scheme, so what depends on colours is asked again, and nothing else.
const OF_COLOURS = ["color-contrast", "link-in-text-block"];

/** The page as it is now, in every scheme. */
export async function judge(person, name, width) {
  const where = `axe ${name}, ${width} px`;
  await fits(person, where, width);
  await person.page.evaluate(AXE);
  for (const [at, [scheme, media]] of SCHEMES.entries()) {
    await person.page.emulateMedia(media);
    const runOnly = at === 0 ? { type: "tag", values: TAGS } : { type: "rule", values: OF_COLOURS };
    const found = await person.page.evaluate(async (runOnly) => {
      const { violations, passes, incomplete } = await window.axe.run(document, { runOnly, resultTypes: ["violations"] });
      return { violations: violations.map(({ id, help, nodes }) => ({ id, help, nodes: nodes.slice(0, 3).map((node) => node.html.slice(0, 160)) })), checked: passes.length + incomplete.length };
    }, runOnly);
    for (const { id, nodes, help } of found.violations) person.faults.add(`${where}, ${scheme}`, `${id} (${help}): ${nodes.join(" ")}`);
    person.faults.check(found.violations.length + found.checked > (at === 0 ? 10 : 0), `${where}, ${scheme}`, `axe checked only ${found.checked} rules`);
  }
  await person.page.emulateMedia(SCHEMES[0][1]);
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
    await judgeDirection(person, one.name, width);
    if (["overview", "users", "user", "audit", "groups", "tokens"].includes(one.name) && await openAll(person)) await judge(person, `${one.name}, opened`, width);
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
