// The interface from right to left: nothing overlaps, nothing is cut off, nothing is wider than the window. And names have a
// direction of their own, whatever the direction of the page.
import { fits } from "./fits.mjs";

/** Pairs of things of a page that cover each other, and things that leave the window. */
function faultsOfLayout() {
  const seen = (one) => one.getClientRects().length && getComputedStyle(one).visibility !== "hidden" && !one.closest(".vh, .skip, [popover]:not(:popover-open), details:not([open]) > :not(summary)");
  const parts = [...document.querySelectorAll("main a, main button, main input:not([type=hidden]), main select, main textarea, main h1, main h2, main label, main dt, main dd, main bdi, main code, main summary, main .tag, main .chip")].filter(seen);
  const crosses = (one, two) => Math.min(one.right, two.right) - Math.max(one.left, two.left) > 3 && Math.min(one.bottom, two.bottom) - Math.max(one.top, two.top) > 3;
  // What floats above a page on purpose: the bar of what to do with the rows that are selected, and open menus.
  const layer = (one) => one.closest(".bulk, .drop > .panel, .filters > .panel");
  // What is cut off by a box around it (a line clamp) covers nothing.
  const clips = parts.map((one) => one.closest(".list .meta")?.getBoundingClientRect());
  const inside = (rect, clip) => clip ? { left: Math.max(rect.left, clip.left), right: Math.min(rect.right, clip.right), top: Math.max(rect.top, clip.top), bottom: Math.min(rect.bottom, clip.bottom) } : rect;
  const lines = (at) => [...parts[at].getClientRects()].map((rect) => inside(rect, clips[at]));
  const found = [];
  const boxes = parts.map((one) => one.getBoundingClientRect());
  for (let a = 0; a < parts.length; a += 1) {
    for (let b = a + 1; b < parts.length; b += 1) {
      if (parts[a].contains(parts[b]) || parts[b].contains(parts[a])) continue;
      // Lines of text that wrap touch; more than 3 px in both directions is an overlap.
      if (crosses(boxes[a], boxes[b])) {
        // A text of several lines has a box that others may be in.
        if (!lines(a).some((x) => lines(b).some((y) => crosses(x, y)))) continue;
        if (layer(parts[a]) !== layer(parts[b])) continue;
        found.push(`${parts[a].outerHTML.slice(0, 90)} covers ${parts[b].outerHTML.slice(0, 90)}`);
      }
    }
  }
  return found.slice(0, 3);
}

/** Stored names that take the direction of the page around them. */
function namesWithoutDirection(names) {
  const found = [];
  const texts = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
  for (let text = texts.nextNode(); text; text = texts.nextNode()) {
    if (!names.some((name) => text.data.includes(name))) continue;
    const parent = text.parentElement;
    if (parent.closest(".vh, .av, option, script")) continue;
    if (!parent.closest("bdi, [dir=auto], textarea")) found.push(parent.outerHTML.slice(0, 120));
  }
  for (const field of document.querySelectorAll("input, textarea")) {
    if (names.some((name) => field.value.includes(name)) && field.type !== "hidden" && field.dir !== "auto") found.push(field.outerHTML.slice(0, 120));
  }
  return found.slice(0, 3);
}

/** The page as it is now. It is from left to right again afterwards. */
export async function judgeDirection(person, name, width) {
  const without = await person.page.evaluate(namesWithoutDirection, ["پشتیبانی", "نیلوفر", "کریمی", "موسوی", "گزارش", "שרה"]);
  person.faults.check(without.length === 0, `names ${name}`, `have no direction of their own: ${without.join(" ")}`);
  for (const direction of ["ltr", "rtl"]) {
    await person.page.evaluate((direction) => { document.documentElement.dir = direction; }, direction);
    const found = await person.page.evaluate(faultsOfLayout);
    person.faults.check(found.length === 0, `layout ${name}, ${direction}, ${width} px`, found.join(" | "));
    await fits(person, `layout ${name}, ${direction}`, width);
  }
  const isRight = await person.page.evaluate(() => {
    const [nav, main] = [document.querySelector("#nav"), document.querySelector("main")];
    return nav?.getClientRects().length && innerWidth >= 1024 ? nav.getBoundingClientRect().left >= main.getBoundingClientRect().right - 1 : true;
  });
  person.faults.check(isRight, `layout ${name}, rtl, ${width} px`, "the rail is not on the right");
  await person.page.evaluate(() => { document.documentElement.removeAttribute("dir"); });
}
