// Ten daily tasks with the keyboard alone. The focus has to be visible wherever it stops, and in the order of the page.
import { PASSWORD } from "./wardroom.mjs";

const PRESSES = 150;

class Hands {
  constructor(person) {
    this.person = person;
    this.page = person.page;
  }

  check(is, what) {
    return this.person.faults.check(is, `keyboard: ${this.task}, ${this.page.url()}`, what);
  }

  type(text) {
    return this.page.keyboard.type(text);
  }

  key(...keys) {
    return keys.reduce((done, key) => done.then(() => this.page.keyboard.press(key)), Promise.resolve());
  }

  /** A key that leads to another page. */
  async leads(...keys) {
    await Promise.all([this.page.waitForNavigation(), this.key(...keys)]);
  }

  /** What has the focus: its name, whether it can be seen, and where it is. */
  focused() {
    return this.page.evaluate(() => {
      const one = document.activeElement;
      const style = getComputedStyle(one);
      const box = one.getBoundingClientRect();
      const name = (one.getAttribute("aria-label") ?? [...(one.labels ?? [])].map((label) => label.textContent).join(" ")) || one.textContent;
      return {
        name: name.replace(/\s+/g, " ").trim(), tag: one.tagName, id: one.id,
        ring: (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2) || (one.closest(".goto, .pick") && getComputedStyle(one.closest(".goto, .pick")).outlineStyle !== "none"),
        seen: one === document.body || (box.width > 0 && box.height > 0 && box.bottom > 0 && box.top < innerHeight),
        at: [...document.querySelectorAll("*")].indexOf(one),
      };
    });
  }

  /** Presses Tab until something is reached. */
  async tabTo(wanted, backwards = false) {
    let before = -1;
    for (let press = 0; press < PRESSES; press += 1) {
      await this.key(backwards ? "Shift+Tab" : "Tab");
      const now = await this.focused();
      if (now.tag === "BODY") continue;
      this.check(now.ring, `the focus on ${now.tag} ${now.name.slice(0, 40)} is not visible`);
      this.check(now.seen, `the focus is on ${now.tag} ${now.name.slice(0, 40)}, which is not on the screen`);
      if (!backwards && before > now.at && before !== -1 && !now.name.startsWith("Skip")) this.check(false, `Tab goes back to ${now.name.slice(0, 40)}`);
      before = now.at;
      if (typeof wanted === "string" ? now.name === wanted || now.id === wanted : wanted.test(now.name)) return now;
    }
    throw new Error(`Tab does not reach ${wanted}`);
  }

  async shows(text) {
    const shown = await this.page.locator("main").innerText();
    this.check(shown.includes(text), `does not show ${text}: ${shown.slice(0, 200).replaceAll("\n", " | ")}`);
  }

  async goTo(letter, path) {
    // Both keys are sent before the page has answered: the second one counts for a second only.
    await Promise.all([this.page.waitForNavigation(), this.page.keyboard.press("g"), this.page.keyboard.press(letter)]);
    this.check(new URL(this.page.url()).pathname === path, `g ${letter} leads to ${this.page.url()}`);
  }

  /** Lists are exchanged in place: this waits for what is announced. */
  async announced(action) {
    // Two pages of as many rows say the same, so what was said before is taken away first.
    await this.page.locator("#say").evaluate((line) => { line.textContent = ""; });
    await action();
    await this.page.waitForFunction(() => !document.querySelector("#list[aria-busy]") && document.querySelector("#say").textContent !== "");
    return this.page.locator("#say").textContent();
  }
}

const TASKS = {
  async "sign in"(hands) {
    await hands.page.goto("/admin/sign-in");
    await hands.key("Tab");
    hands.check((await hands.focused()).name === "Skip to content", "the first stop is not the skip link");
    await hands.tabTo("username");
    await hands.type("root");
    await hands.tabTo("password");
    await hands.type(PASSWORD);
    await hands.leads("Enter");
    hands.check(hands.page.url().endsWith("/admin"), "Enter did not sign in");
  },
  async "skip to the content"(hands) {
    await hands.page.goto("/admin/users");
    await hands.key("Tab");
    const skip = await hands.focused();
    hands.check(skip.name === "Skip to content" && skip.ring && skip.seen, `the first stop is ${JSON.stringify(skip)}`);
    await hands.key("Enter");
    await hands.key("Tab");
    const inside = await hands.page.evaluate(() => document.querySelector("main").contains(document.activeElement));
    hands.check(inside, "after the skip link, Tab is not in the content");
  },
  async "find a person and open the page"(hands) {
    await hands.goTo("u", "/admin/users");
    await hands.key("/");
    hands.check((await hands.focused()).id === "q", "/ does not lead to the search");
    await hands.type("jgk/x?");
    hands.check(await hands.page.locator("#q").inputValue() === "jgk/x?" && hands.page.url().endsWith("/admin/users"), "single keys act in a field");
    await hands.key("Control+a");
    await hands.type("Maryam");
    const said = await hands.announced(() => hands.key("Enter"));
    hands.check(/^1 user shown/.test(said), `announced: ${said}`);
    hands.check((await hands.focused()).id === "q", "the focus left the search");
    await hands.key("Tab");
    await hands.key("j");
    hands.check((await hands.focused()).name === "Maryam Rostami", `j leads to ${(await hands.focused()).name}`);
    await hands.leads("Enter");
    await hands.shows("Maryam Rostami");
  },
  async "walk through rows and select two"(hands) {
    await hands.page.goto("/admin/users?search=haddad");
    const names = [];
    for (const key of ["j", "j", "k", "j"]) {
      await hands.key(key);
      names.push((await hands.focused()).name);
    }
    hands.check(names[0] === names[2] && names[1] === names[3] && names[0] !== names[1], `j and k lead to ${names}`);
    await hands.key("x", "k", "x");
    hands.check(await hands.page.locator("#list tbody input:checked").count() === 2, "x does not select");
    hands.check(await hands.page.locator("#list .bulk").isVisible() && (await hands.page.locator("#list .bulk").innerText()).includes("2 selected"), "the bar of what to do is not shown");
    await hands.tabTo("Sign out everywhere…");
    await hands.leads("Enter");
    await hands.shows("Sign out 2 people everywhere?");
    await hands.tabTo("Sign out 2 people everywhere");
    await hands.leads("Enter");
    await hands.shows("All sessions and tokens of the selected people are ended.");
  },
  async "create a user"(hands) {
    await hands.goTo("u", "/admin/users");
    await hands.tabTo("New user");
    await hands.leads("Enter");
    await hands.tabTo("f-username");
    await hands.type("keyboard.person");
    await hands.tabTo("f-first_name");
    await hands.type("Key");
    await hands.tabTo("f-is_staff");
    await hands.key("Space");
    await hands.tabTo("Create user");
    await hands.leads("Enter");
    await hands.shows("The user is created.");
  },
  async "mend a mistake in a form"(hands) {
    await hands.tabTo("Edit");
    await hands.leads("Enter");
    await hands.tabTo("f-username");
    await hands.key("Control+a");
    await hands.type("no name!");
    await hands.leads("Enter");
    // The summary leads to the field.
    await hands.tabTo("User name");
    await hands.key("Enter");
    const field = await hands.focused();
    hands.check(field.id === "f-username" && field.ring, `the summary leads to ${field.id || field.tag}`);
    await hands.key("Control+a");
    await hands.type("keyboard.person");
    await hands.leads("Enter");
    await hands.shows("The changes are saved.");
  },
  async "give a right"(hands) {
    await hands.tabTo("Change rights");
    await hands.leads("Enter");
    await hands.tabTo("Read groups");
    await hands.key("Space");
    await hands.tabTo("Save rights");
    await hands.leads("Enter");
    await hands.shows("The rights are saved.");
  },
  async "issue and revoke a token"(hands) {
    await hands.tabTo("New token");
    await hands.leads("Enter");
    await hands.tabTo("f-name");
    await hands.type("by keyboard");
    // A group of radio buttons is one stop; the arrows choose.
    await hands.tabTo(/^Only what is marked|^All that its owner may/);
    await hands.key("ArrowDown");
    hands.check(await hands.page.locator("#f-rights-all").isChecked(), "the arrow does not choose");
    await hands.tabTo("Issue token");
    await hands.leads("Enter");
    await hands.tabTo("key");
    await hands.tabTo(/^Revoke it now/);
    await hands.leads("Enter");
    await hands.tabTo("Revoke token");
    await hands.leads("Enter");
    await hands.shows("Revoked.");
  },
  async "delete a person and take it back"(hands) {
    await hands.goTo("u", "/admin/users");
    await hands.key("/");
    await hands.type("keyboard.person");
    await hands.announced(() => hands.key("Enter"));
    await hands.key("Tab");
    await hands.key("j");
    await hands.leads("Enter");
    await hands.tabTo("More");
    await hands.key("Enter");
    await hands.key("Escape");
    hands.check(!await hands.page.locator("details.drop").getAttribute("open") && (await hands.focused()).name === "More", "Escape does not close the menu");
    await hands.key("Enter");
    await hands.tabTo("Move to recycle bin…");
    await hands.leads("Enter");
    await hands.tabTo("Move to the recycle bin");
    await hands.leads("Enter");
    await hands.shows("The user is in the recycle bin.");
    await hands.tabTo("Undo");
    await hands.leads("Enter");
    await hands.shows("Restored");
  },
  async "look into the audit trail, page by page"(hands) {
    await hands.goTo("a", "/admin/audit");
    await hands.tabTo(/^Filters/);
    await hands.key("Enter");
    await hands.tabTo("f-actor_name");
    await hands.type("root");
    await hands.announced(() => hands.key("Enter"));
    hands.check(new URL(hands.page.url()).searchParams.get("actor_name") === "root", "the address does not follow");
    await hands.tabTo(/^Older/);
    await hands.announced(() => hands.key("Enter"));
    hands.check(new URL(hands.page.url()).searchParams.has("before"), "the address does not follow the page");
    hands.check((await hands.focused()).tag !== "BODY", "the focus is lost after a page turn");
  },
  async "see the keys, switch them off and on"(hands) {
    for (const [letter, path] of [["o", ""], ["g", "/groups"], ["p", "/permissions"], ["t", "/tokens"], ["s", "/sessions"], ["a", "/audit"], ["b", "/bin"]]) await hands.goTo(letter, `/admin${path}`);
    await hands.key("?");
    hands.check(await hands.page.locator("#keys").isVisible(), "? does not show the keys");
    await hands.key("Escape");
    hands.check(!await hands.page.locator("#keys").isVisible(), "Escape does not close the keys");
    await hands.page.goto("/admin/account");
    const set = async (name) => {
      await hands.tabTo(name);
      await Promise.all([hands.page.waitForResponse((one) => one.url().endsWith("/admin/look")), hands.key("Enter")]);
      await hands.page.goto("/admin/users");
    };
    await set("Off");
    await hands.key("/");
    hands.check((await hands.focused()).id !== "q", "/ acts though keys are off");
    await hands.key("?");
    hands.check(!await hands.page.locator("#keys").isVisible(), "? acts though keys are off");
    await hands.key("j", "g", "g");
    hands.check(hands.page.url().endsWith("/admin/users"), "g g acts though keys are off");
    await hands.page.goto("/admin/account");
    await set("Single keys act");
    await hands.key("/");
    hands.check((await hands.focused()).id === "q", "/ does not act again");
  },
};

export async function judge(person) {
  const hands = new Hands(person);
  // The second of two keys counts for a second only. Time stands still, so that a slow machine does not miss it.
  await person.page.clock.setFixedTime(new Date());
  for (const [task, done] of Object.entries(TASKS)) {
    hands.task = task;
    try {
      await done(hands);
    } catch (error) {
      hands.check(false, String(error.message).split("\n").slice(0, 3).join(" "));
    }
  }
  return Object.keys(TASKS).length;
}
