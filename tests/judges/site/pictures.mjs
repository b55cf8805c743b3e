// Photographs the main pages for docs/admin.md, with the people of seed.mjs. pictures.mjs WARDROOM [FOLDER [all]]
//
// With `all`, every page in light and dark at 320, 1280 and 2560 px, for somebody to look at.
import { mkdirSync, statSync } from "node:fs";

import { browser, Person } from "./people.mjs";
import { places } from "./places.mjs";
import { seed } from "./seed.mjs";
import { Faults } from "./tools.mjs";
import { Front, Wardroom } from "./wardroom.mjs";

const [binary, folder = "docs/pictures", all] = process.argv.slice(2);
// What a picture in the repository may weigh.
const BYTES_MAX = 120 * 1024;
const MAIN = (s) => [
  ["overview", "/admin"], ["users", "/admin/users?ordering=id", "dark"], ["users", "/admin/users?ordering=id"], ["user", `/admin/users/${s.id["person.00"]}`], ["group", `/admin/groups/${s.desk}`], ["audit", "/admin/audit"],
];

async function photograph(player, front, faults, shots, size, scheme, fileOf) {
  const person = await Person.arrive(player, front.origin, faults, { viewport: size, colorScheme: scheme, timezoneId: "Europe/Madrid" });
  await person.signIn();
  for (const [name, path] of shots) {
    await person.page.goto(path);
    await person.page.screenshot({ path: fileOf(name) });
  }
  await person.leave();
}

async function main() {
  mkdirSync(folder, { recursive: true });
  const faults = new Faults();
  const player = await browser();
  const wardroom = await Wardroom.start(binary, "sqlite");
  const front = await Front.start(wardroom);
  try {
    const s = await seed(wardroom, { hasExtremes: Boolean(all) });
    if (all) {
      const shots = places(s).map(({ name, path }) => [name.replace(/\W+/g, "-"), path]);
      for (const scheme of ["light", "dark"]) {
        for (const width of [320, 1280, 2560]) await photograph(player, front, faults, shots, { width, height: width > 1280 ? 1300 : 900 }, scheme, (name) => `${folder}/${name}-${scheme}-${width}.png`);
      }
      return;
    }
    // One sign-in for each scheme: the pages show those.
    for (const scheme of ["light", "dark"]) {
      const shots = MAIN(s).filter(([, , wanted = "light"]) => wanted === scheme);
      const fileOf = (name) => `${folder}/admin-${name}${scheme === "dark" ? "-dark" : ""}.png`;
      await photograph(player, front, faults, shots, { width: 1120, height: 720 }, scheme, fileOf);
      for (const [name] of shots) if (statSync(fileOf(name)).size > BYTES_MAX) throw new Error(`${fileOf(name)} has ${statSync(fileOf(name)).size} bytes`);
    }
  } finally {
    await player.close();
    await wardroom.stop();
    front.stop();
  }
}

await main();
