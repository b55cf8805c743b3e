// Browsers, and the people who use them.
import { chromium, program } from "./tools.mjs";
import { PASSWORD } from "./wardroom.mjs";

// For one step of a page. Generous, because the machine may be busy; nothing waits this long if the page works.
// With a planted fault, some waits are in vain.
const PATIENCE = process.env.SITE_PLANT ? 100_000 : 300_000;

export function browser(args = []) {
  // Without a sandbox of its own, because judges also run as root. It opens only our pages.
  return chromium.launch({ executablePath: program("chromium-headless-shell", "chromium"), args: ["--no-sandbox", "--host-resolver-rules=MAP *.test 127.0.0.1", ...args] });
}

/** One person at one site, in a browser profile of their own. */
export class Person {
  static async arrive(player, origin, faults, { where = origin, hook = false, ...how } = {}) {
    const person = new Person();
    person.origin = origin;
    person.faults = faults;
    person.where = where;
    person.context = await player.newContext({ baseURL: origin, ignoreHTTPSErrors: true, reducedMotion: "reduce", ...how });
    person.context.setDefaultTimeout(PATIENCE);
    if (hook) await person.context.addInitScript(hook);
    person.page = await person.context.newPage();
    person.watch(person.page);
    return person;
  }

  /** Whatever the browser complains about is a fault. */
  watch(page) {
    page.on("pageerror", (error) => this.faults.add(`${this.where} ${page.url()}`, `script: ${error}`));
    page.on("console", (line) => {
      // Every refusal is an error of its own; whether a refusal is right is checked elsewhere.
      if (!["error", "warning"].includes(line.type()) || line.text().includes("Failed to load resource")) return;
      this.faults.add(`${this.where} ${page.url()}`, `console: ${line.text()}`);
    });
    page.on("request", (request) => {
      if (!request.url().startsWith(this.origin) && !request.url().startsWith("data:")) this.faults.add(this.where, `a page loads ${request.url()}`);
    });
  }

  async go(path, status = 200) {
    let answer = await this.page.goto(path);
    for (let many = 0; answer.status() === 503 && many < 100; many += 1) answer = await this.page.goto(path);
    this.faults.check(answer.status() === status, `${this.where} ${path}`, `status ${answer.status()}, and not ${status}`);
    return answer;
  }

  async signIn(username = "root", password = PASSWORD) {
    await this.go("/admin/sign-in");
    await this.fill({ "User name": username, Password: password });
    await this.press("Sign in");
    await this.page.waitForURL((url) => url.pathname === "/admin");
    return this;
  }

  async fill(values) {
    for (const [label, value] of Object.entries(values)) await (await this.one(this.main().getByLabel(label, { exact: true }), label)).fill(value);
  }

  async tick(label, exact = true) {
    await (await this.one(this.main().getByLabel(label, { exact }), label)).check();
  }

  main() {
    return this.page.locator("main");
  }

  /** Pages are complete when they are loaded: what is not there does not come. */
  async one(found, name) {
    if (await found.count() !== 1) throw new Error(`${await found.count()} of ${name} on ${await this.page.title()}`);
    return found;
  }

  /** Presses a button or follows a link of the page, and waits for the page that follows. */
  async press(name, { role = "button", within = this.main(), exact = true } = {}) {
    const found = await this.one(within.getByRole(role, { name, exact }).first(), `${role} ${name}`);
    await Promise.all([this.page.waitForNavigation(), found.click()]);
  }

  follow(name, how = {}) {
    return this.press(name, { role: "link", ...how });
  }

  /** The page has to show a text. */
  async sees(text, what = text) {
    const shown = await this.page.locator("main").innerText();
    this.faults.check(typeof text === "string" ? shown.includes(text) : text.test(shown), `${this.where} ${this.page.url()}`, `does not show ${what}: ${shown.slice(0, 300).replaceAll("\n", " | ")}`);
  }

  leave() {
    return this.context.close();
  }
}
