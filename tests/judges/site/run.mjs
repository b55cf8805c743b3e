// Judges the admin site in a real browser. run.mjs WARDROOM PLACE [NAMES OF JUDGES]
//
// Everything is walked on both databases, with scripts and without. What does not depend on the database is judged on one.
// Without names, half of the walk is done: each database once, with scripts on one and without on the other.
import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";

import { doEverything, firstVisit } from "./actions.mjs";
import { judgeEverything, judgeOutside, judgePopovers, WIDTHS } from "./axe.mjs";
import { judge as judgeForms } from "./csrf.mjs";
import { lighthouseOf, validate } from "./html.mjs";
import { judge as judgeKeyboard } from "./keyboard.mjs";
import { judge as judgeLists } from "./lists.mjs";
import { judgeMails } from "./mails.mjs";
import { judge as judgePayloads, PAYLOADS, plant } from "./payloads.mjs";
import { browser, Person } from "./people.mjs";
import { mistake, mistakes, places } from "./places.mjs";
import { PLANTS } from "./plants.mjs";
import { Record } from "./record.mjs";
import { seed } from "./seed.mjs";
import { Faults } from "./tools.mjs";
import { Front, Wardroom } from "./wardroom.mjs";

const [binary, place, ...only] = process.argv.slice(2);
const MAIN_PAGES = ["/admin", "/admin/users", "/admin/groups", "/admin/tokens", "/admin/audit", "/admin/account"];
// What runs if no judge is named. `walk` is run by name: it takes twice as long as its half.
const DEFAULT = ["half", "html", "axe", "keyboard", "lists", "csrf", "payloads", "lighthouse"];
const faults = new Faults();
const record = new Record(faults);
const fault = PLANTS[process.env.SITE_PLANT];
const KINDS = process.env.SITE_KINDS?.split(",") ?? (fault ? ["sqlite"] : ["sqlite", "postgres"]);
const started = Date.now();
const say = (text) => console.log(`${((Date.now() - started) / 1000).toFixed(0).padStart(4)} s  ${text}`);

/** Runs something with a Wardroom of its own that has people in it. */
async function withSeeds(kind, done) {
  const wardroom = await Wardroom.start(binary, kind);
  try {
    await done(wardroom, await seed(wardroom));
  } finally {
    await wardroom.stop();
  }
}

/** Runs something with a person who is signed in, and whose pages are recorded. */
async function withPerson(player, wardroom, way, how, done) {
  const front = await Front.start(wardroom, { seen: record.seer(way) });
  const person = await Person.arrive(player, front.origin, faults, { where: way, ...how });
  try {
    await person.signIn();
    await done(person, front);
  } catch (error) {
    faults.add(`${way} ${person.page.url()}`, error.stack);
  } finally {
    await person.leave();
    front.stop();
  }
}

/** One walk through everything, and the first visit of a new installation. */
async function walk(player, wardroom, s, kind, hasScripts) {
  const way = `${kind}, scripts ${hasScripts ? "on" : "off"}`;
  await withPerson(player, wardroom, way, { javaScriptEnabled: hasScripts }, (person) => doEverything(person, s, wardroom, hasScripts ? "on" : "off", hasScripts));
  const fresh = await Wardroom.start(binary, kind, { admin: null });
  const front = await Front.start(fresh, { seen: (exchange) => record.see(way, record.used.get(way), exchange) });
  const first = await Person.arrive(player, front.origin, faults, { where: `${way}, first visit`, javaScriptEnabled: hasScripts });
  try {
    await firstVisit(first, fresh.link);
  } catch (error) {
    faults.add(`${way}, first visit`, error.stack);
  } finally {
    await first.leave();
    await fresh.stop();
    front.stop();
  }
  await judgeMails(player, binary, kind, faults, { where: way, hasScripts, seen: (exchange) => record.see(way, record.used.get(way), exchange) });
  say(`walked: ${way}`);
}

/** Walks through everything on each database, in these ways: whether scripts are on. */
async function walkAll(player, waysOf) {
  const kinds = KINDS.map((kind) => withSeeds(kind, async (wardroom, s) => {
    for (const hasScripts of waysOf(kind)) await walk(player, wardroom, s, kind, hasScripts);
  }));
  for (const { status, reason } of await Promise.allSettled(kinds)) if (status === "rejected") faults.add("walk", reason.stack);
  record.complete();
}

const judges = {
  walk: (player) => walkAll(player, () => [true, false]),
  half: (player) => walkAll(player, (kind) => [kind === "sqlite"]),
  async html(player) {
    await withSeeds("sqlite", (wardroom, s) => withPerson(player, wardroom, "html", { javaScriptEnabled: false }, async (person) => {
      for (const { path, status } of places(s)) {
        const answer = await person.context.request.get(path);
        faults.check(answer.status() === status, `html ${path}`, `status ${answer.status()}, and not ${status}`);
      }
      for (const one of mistakes(s)) await mistake(person, one);
    }));
  },
  async axe(player) {
    await withSeeds("sqlite", (wardroom, s) => Promise.all(WIDTHS.map(async (width) => {
      const how = { viewport: { width, height: 900 } };
      await withPerson(player, wardroom, `axe ${width} px`, how, async (person) => {
        await judgeEverything(person, s, width);
        await judgePopovers(person, width);
        await person.context.clearCookies();
        await judgeOutside(person, width);
        say(`axe: ${width} px`);
      });
    })));
    say("axe: three schemes, two widths; layout from both sides");
  },
  async keyboard(player) {
    await withSeeds("sqlite", async (wardroom) => {
      const front = await Front.start(wardroom, { seen: record.seer("keyboard") });
      const person = await Person.arrive(player, front.origin, faults, { where: "keyboard", viewport: { width: 1280, height: 900 } });
      say(`keyboard: ${await judgeKeyboard(person)} tasks`);
      await person.leave();
      front.stop();
    });
  },
  async lists(player) {
    await withSeeds("sqlite", async (wardroom) => {
      await withPerson(player, wardroom, "lists", { viewport: { width: 1280, height: 900 } }, (person) => judgeLists(person));
    });
    say("lists in place");
  },
  async csrf(player) {
    say(`forms of other sites: ${await judgeForms(player, binary, "sqlite", faults)} sent and refused`);
  },
  async payloads(player) {
    await withSeeds("sqlite", async (wardroom, s) => {
      const planted = await plant(wardroom);
      faults.check(planted.planted > 100, "payloads", `only ${planted.planted} were accepted somewhere`);
      const front = await Front.start(wardroom, { seen: record.seer("payloads") });
      const loaded = await judgePayloads(player, front, s, planted, faults);
      front.stop();
      say(`payloads: ${PAYLOADS.length}, stored in ${planted.planted} places, ${loaded} pages loaded`);
    });
  },
  async lighthouse() {
    const port = 20_000 + process.pid % 10_000;
    const own = await browser([`--remote-debugging-port=${port}`]);
    try {
      await withSeeds("sqlite", (wardroom) => withPerson(own, wardroom, "lighthouse", {}, async (person, front) => {
        const [cookie] = await person.context.cookies();
        await lighthouseOf(front.origin, "", port, ["/admin/sign-in"], faults);
        await lighthouseOf(front.origin, `${cookie.name}=${cookie.value}`, port, MAIN_PAGES, faults);
      }));
    } finally {
      await own.close();
    }
    say(`lighthouse: ${MAIN_PAGES.length + 1} pages`);
  },
};

async function main() {
  mkdirSync(place, { recursive: true });
  if (process.env.SITE_PLANT === "all") return plantAll();
  if (fault) {
    faults.wanted = fault.says;
    only.push(fault.judge);
    if (fault.route) record.routes.push(fault.route);
  }
  const wanted = Object.keys(judges).filter((name) => (only.length === 0 ? DEFAULT : only).includes(name));
  for (const name of only) if (!judges[name]) throw new Error(`no judge is called ${name}; there are ${Object.keys(judges).join(", ")}`);
  const player = await browser();
  try {
    // Two at a time: on two cores, more would only wait for each other.
    const left = [...wanted];
    const lane = async () => {
      for (let name = left.shift(); name; name = left.shift()) {
        await judges[name](player).catch((error) => faults.add(name, error.stack));
      }
    };
    await Promise.all([lane(), lane()]);
  } finally {
    await player.close();
  }
  if (wanted.some((name) => ["html", "walk", "half", "axe"].includes(name))) say(`vnu and html-validate: ${await validate(record, `${place}/html`, faults)} pages`);
  say(`${faults.found.length} faults`);
  if (fault) throw new Error(`${fault.judge} did not find: ${process.env.SITE_PLANT}`);
  process.exitCode = faults.found.length ? 1 : 0;
}

/** Each planted fault has to be found. */
function plantAll() {
  for (const name of Object.keys(PLANTS)) {
    const done = spawnSync(process.execPath, [process.argv[1], binary, place], { env: { ...process.env, SITE_PLANT: name }, encoding: "utf8" });
    say(`${done.status === 0 ? "found" : "MISSED"}: ${name}: ${done.stderr.trim().split("\n").at(-1).slice(0, 160)}`);
    if (done.status !== 0) process.exitCode = 1;
  }
}

await main();
