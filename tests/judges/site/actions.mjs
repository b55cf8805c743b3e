// Every action of the site, done once by a person who works with it. `tag` makes the names of a walk its own.
import { places, mistakes, mistake } from "./places.mjs";
import { PASSWORD } from "./wardroom.mjs";

const OTHER = "eight oak chairs along the wall";

/** Opens every page, and every page with mistakes. */
export async function openEverything(person, s) {
  for (const { path, status } of places(s)) await person.go(path, status);
  for (const one of mistakes(s)) {
    await mistake(person, one);
    const title = await person.page.title();
    person.faults.check(title.startsWith("Problem: "), `${person.where} ${one.name}`, `with mistakes its title is ${title}`);
    person.faults.check(await person.page.locator("[role=alert]").count() > 0, `${person.where} ${one.name}`, "no alert says what is wrong");
    const invalid = person.page.locator("[aria-invalid=true]");
    for (const field of await invalid.all()) {
      const described = (await field.getAttribute("aria-describedby") ?? "").split(" ").at(-1);
      person.faults.check(described && await person.page.locator(`#${described}`).count() === 1, `${person.where} ${one.name}`, "a field with a mistake does not lead to its text");
    }
  }
}

/** The user who is walked with. */
async function users(person, s, tag) {
  const name = `walk.${tag}`;
  await person.go("/admin/users");
  await person.follow("New user");
  await person.fill({ "User name": name, "First name": "سارا", "Last name": "Whitfield", "E-mail": `${name}@example.com` });
  await person.tick("Staff");
  await person.press("Create user");
  await person.sees("The user is created.");
  const id = new URL(person.page.url()).pathname.split("/").at(-1);
  const at = `/admin/users/${id}`;

  await person.follow("Edit");
  await person.fill({ "Last name": "Whitfield-Moss" });
  await person.press("Save changes");
  await person.sees("The changes are saved.");
  await person.sees("Whitfield-Moss");

  await person.go(`${at}/rights`);
  await person.tick("Read users");
  await person.press("Save rights");
  await person.sees("The rights are saved.");
  await person.sees("Given directly");

  await person.go(`${at}/groups?search=desk`);
  await person.press("Add to Support desk");
  await person.sees("The person is in the group now.");
  await person.go(`${at}/groups`);
  await person.follow("Remove… from Support desk");
  await person.sees("loses what only this group gives them");
  await person.press("Remove from the group");
  await person.sees("The person is not in the group any more.");
  await person.press("Undo");
  await person.sees("The person is in the group now.");

  await person.go(`${at}/password`);
  await person.fill({ "New password": PASSWORD, "New password again": PASSWORD });
  await person.press("Set password");
  await person.sees("The password is set.");

  for (const [action, button, said] of [
    ["deactivate", "Deactivate", "can no longer sign in"], ["activate", "Activate", "can sign in again"],
    ["unlock", "Forget failed sign-ins", "failed sign-ins are forgotten"], ["admin", "Make admin", "is an admin now"],
    ["not-admin", "Take admin rights away", "no admin any more"], ["sign-out", "Sign out everywhere", "All sessions and tokens of this person are ended"],
  ]) {
    await person.go(`${at}/${action}`);
    await person.press(button);
    await person.sees(said);
  }
  return { id, name, at };
}

/** Two edits of one user: nothing is lost, and the choice is saved. */
async function conflict(person, s, wardroom, { id, at }) {
  await person.go(`${at}/edit`);
  await person.fill({ "First name": "Typed here", "Last name": "Typed here too" });
  await wardroom.api("PATCH", `/api/users/${id}`, { last_name: "Saved elsewhere", email: null });
  await person.press("Save changes");
  await person.sees("Two edits met");
  await person.sees("Typed here too");
  await person.page.locator("#last_name-yours").check();
  await person.press("Save my choices");
  await person.sees("The changes are saved.");
  const user = await wardroom.api("GET", `/api/users/${id}`);
  person.faults.check(user.first_name === "Typed here" && user.last_name === "Typed here too" && user.email === null, person.where, `the choice was not saved: ${JSON.stringify(user)}`);
}

async function tokens(person, s, tag, { at }) {
  await person.go(`${at}/tokens/new`);
  await person.fill({ Name: `token ${tag}` });
  await person.tick("All that its owner may");
  await person.press("Issue token");
  const key = await shownOnce(person);
  await person.follow("I have stored it");
  const token = new URL(person.page.url()).pathname;
  await person.follow("Change");
  await person.fill({ Name: `token ${tag}, renamed` });
  await person.press("Save changes");
  await person.sees("The token is changed.");
  await person.follow("New key…");
  await person.press("Make a new key");
  const rotated = await shownOnce(person);
  person.faults.check(rotated !== key, person.where, "the new key is the old one");
  await person.go("/admin/tokens/find");
  await person.fill({ Key: rotated });
  await person.press("Find its owner");
  await person.sees(`token ${tag}, renamed`);
  await person.follow("Revoke…");
  await person.press("Revoke token");
  await person.sees("Revoked.");
  for (const secret of [key, rotated]) {
    for (const path of ["/admin", token, "/admin/tokens?state=revoked", at, "/admin/audit"]) {
      await person.go(path);
      person.faults.check(!(await person.page.content()).includes(secret), `${person.where} ${path}`, "shows the whole key");
    }
  }
}

/** The key of the page; neither its address nor the page after a reload has it. */
async function shownOnce(person) {
  const key = await person.page.locator("#key").inputValue();
  person.faults.check(/^wrd_\w{30,}$/.test(key), person.where, `no key but ${key.length} characters`);
  person.faults.check(!person.page.url().includes(key), person.where, "the address has the key");
  return key;
}

async function lists(person, s, tag) {
  await person.go("/admin/users?search=haddad");
  const rows = person.main().locator("#list tbody input[type=checkbox]");
  for (const [action, button, said] of [
    ["Deactivate…", /^Deactivate 2 people/, "can no longer sign in"], ["Activate…", /^Activate 2 people/, "can sign in again"],
    ["Sign out everywhere…", /^Sign out 2 people/, "are ended"], ["Add to group…", /^Add 2 people/, "are in the group now"],
    ["Remove from group…", /^Remove 2 people/, "not in the group any more"], ["Move to recycle bin…", /^Move 2 people/, "are in the recycle bin"],
  ]) {
    await person.go("/admin/users?search=haddad");
    for (const at of [0, 1]) await rows.nth(at).check();
    await person.press(action);
    if (action.includes("group")) await person.fill({ Group: "Drivers" });
    await person.press(button, { exact: false });
    await person.sees(said);
  }
  await person.press("Undo");
  await person.sees("Restored from the recycle bin.");
  await person.go("/admin/users?search=haddad");
  person.faults.check(await rows.count() === 7, person.where, "undo did not restore all of them");

  await person.go("/admin/tokens?search=");
  await person.go(`/admin/users/${s.bot}/tokens/new`);
  await person.fill({ Name: `bulk ${tag}` });
  await person.tick("Read only");
  await person.tick("All that its owner may");
  await person.press("Issue token");
  await shownOnce(person);
  await person.go("/admin/tokens");
  await person.tick(`Select bulk ${tag}`, false);
  await person.press("Revoke…");
  await person.press("Revoke token");
  await person.sees("Revoked.");

  for (const list of ["users", "groups", "permissions", "tokens", "sessions", "audit", "bin", "bin/groups"]) {
    await person.go(`/admin/${list}`);
    person.faults.check(await person.main().getByRole("link", { name: "Export CSV" }).count() === 1, `${person.where} ${list}`, "has no link to its CSV");
    const [csv] = await Promise.all([person.page.waitForEvent("download"), person.page.evaluate((path) => { location.href = path; }, `/admin/${list}.csv`).catch(() => {})]);
    person.faults.check((await csv.failure()) === null, person.where, `${list}.csv failed`);
  }
}

/** Names in filters become numbers in the address; filters are saved under a name. */
async function views(person, s, tag) {
  const filter = async (name) => {
    await person.go("/admin/users");
    await person.page.locator("#find summary").click();
    await person.fill({ "In the group": name });
    const show = person.page.getByRole("button", { name: "Show these people" });
    await Promise.all([person.page.waitForURL((url) => url.search !== ""), show.click()]);
  };
  await filter("support");
  await person.press("Support desk", { role: "link" });
  person.faults.check(new URL(person.page.url()).searchParams.get("group_id") === String(s.desk), person.where, `the group that was offered leads to ${person.page.url()}`);
  await filter("Support desk");
  await person.page.waitForLoadState();
  await person.page.goto(person.page.url());
  await person.sees("in Support desk");
  await person.page.getByText("Save this view").click();
  await person.fill({ Name: `view ${tag}` });
  await person.press("Save");
  await person.sees("The view is saved.");
  await person.go("/admin/users");
  await person.follow(`view ${tag}`);
  await person.sees("in Support desk");
  await person.page.getByText("Save this view").click();
  await person.page.locator("#view-name").evaluate((field) => { field.removeAttribute("required"); field.removeAttribute("maxlength"); });
  await person.page.locator("#view-name").fill("x".repeat(200));
  await person.press("Save");
  await person.sees("The view was not saved");
  await person.go("/admin/account");
  await person.press(`Remove view ${tag}`);
  await person.sees("The view is removed.");
}

/** Pictures, of others and one's own. */
async function pictures(person, { at }) {
  const face = { name: "face.png", mimeType: "image/png", buffer: await person.page.screenshot({ clip: { x: 0, y: 0, width: 200, height: 200 } }) };
  const text = { name: "face.png", mimeType: "image/png", buffer: Buffer.from("no picture") };
  for (const page of [`${at}/picture`, "/admin/account/picture"]) {
    await person.go(page);
    await person.main().getByLabel("Picture").setInputFiles(text);
    await person.press("Save picture");
    await person.sees("The picture was not saved");
    await person.main().getByLabel("Picture").setInputFiles(face);
    await person.press("Save picture");
    await person.sees("The picture is saved.");
    await person.go(page);
    const isShown = await person.page.locator("main img").first().evaluate(async (image) => { await image.decode(); return image.naturalWidth > 0; });
    person.faults.check(isShown, `${person.where} ${page}`, "does not show the picture");
    await person.press("Remove picture");
    await person.go(page);
    person.faults.check(await person.page.locator("main img").count() === 0, `${person.where} ${page}`, "the picture is not removed");
  }
}

/** A form that was open for longer than a proof holds keeps what was typed, and leads to a new proof. */
async function oldProof(person, wardroom, { at }) {
  await person.go(`${at}/tokens/new`);
  await person.fill({ Name: "typed before" });
  await person.tick("All that its owner may");
  wardroom.ageProofs();
  await person.press("Issue token");
  await person.sees("older than 10 minutes");
  person.faults.check(await person.main().getByLabel("Name", { exact: true }).inputValue() === "typed before", `${person.where} ${person.page.url()}`, "what was typed is lost");
  const help = person.page.locator("[role=alert] a[href='/admin/confirm']");
  await person.one(help, "link to a new proof");
  const [tab] = await Promise.all([person.context.waitForEvent("page"), help.click()]);
  await tab.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await Promise.all([tab.waitForURL((url) => url.pathname === "/admin"), tab.getByRole("button", { name: "Confirm", exact: true }).click()]);
  await tab.close();
  await person.press("Issue token");
  await shownOnce(person);
}

/** A note of what was done, with its undo, is on the page after the form, and on no page that only has its address. */
async function noteOfOthers(person) {
  for (const path of ["/admin/users?done=deleted&undo=2", "/admin/users?done=bulk-deleted&undo=2.3", "/admin/groups?done=group-deleted&undo=1"]) {
    await person.page.goto("about:blank");
    await person.go(path);
    person.faults.check(await person.main().getByRole("button", { name: "Undo" }).count() === 0, `${person.where} ${path}`, "a link alone shows Undo");
  }
}

async function groups(person, s, tag) {
  await person.go("/admin/groups");
  await person.follow("New group");
  await person.fill({ Name: `Group ${tag}`, "Notes, if any": "First line\nSecond line" });
  await person.tick("Read users");
  await person.press("Create group");
  await person.sees("The group is created.");
  const at = new URL(person.page.url()).pathname;
  await person.follow("Edit");
  await person.fill({ Name: `Group ${tag} (renamed)` });
  await person.press("Save group");
  await person.sees("The group is saved.");
  await person.go(`${at}/members/add?search=dubois`);
  await person.main().getByRole("checkbox").first().check();
  await person.fill({ "User names, one a line, if you have a list": "person.02\nperson.03" });
  await person.press("Add to the group");
  await person.sees("They are members now");
  await person.main().locator("#list tbody input[type=checkbox]").first().check();
  await person.press(/^Remove/, { within: person.page.locator("#bulk"), exact: false });
  await person.press("Remove 1 person");
  await person.sees("They are no longer members.");
  for (const leads of ["Undo", "Restore", "Purge"]) {
    await person.go(`${at}/delete`);
    await person.press("Move the group to the recycle bin");
    await person.sees("The group is in the recycle bin.");
    if (leads === "Undo") {
      await person.press("Undo");
      await person.sees("The group is restored.");
      continue;
    }
    await person.go("/admin/bin/groups");
    if (leads === "Restore") {
      await person.press(`Restore Group ${tag} (renamed)`);
      await person.sees("The group is restored.");
    } else {
      await person.follow(`Remove… Group ${tag} (renamed)`);
      await person.press("Remove permanently");
      await person.sees("The group is removed permanently.");
    }
  }
}

async function permissions(person, tag) {
  await person.go("/admin/permissions");
  await person.follow("New permission");
  await person.fill({ Name: `walk_${tag}` });
  await person.press("Create permission");
  await person.sees("The permission is created.");
  await person.follow("Rename");
  await person.fill({ Name: `walked_${tag}` });
  await person.press("Save the name");
  await person.sees("The permission has its new name.");
  await person.follow("Remove…");
  await person.press("Remove the permission");
  await person.sees("The permission is removed");
}

async function recycleBin(person, { name, at }) {
  for (const leads of ["Undo", "Restore", "Purge"]) {
    await person.go(`${at}/delete`);
    await person.press("Move to the recycle bin");
    await person.sees("The user is in the recycle bin.");
    if (leads === "Undo") {
      await person.press("Undo");
      await person.sees("Restored from the recycle bin.");
      continue;
    }
    await person.go(`/admin/bin?search=${name}`);
    if (leads === "Restore") {
      await person.press(/^Restore/);
      await person.sees("This person is restored.");
    } else {
      await person.follow(/^Remove…/);
      await person.press("Remove permanently");
      await person.sees("This person is removed permanently.");
    }
  }
}

async function audit(person) {
  await person.go("/admin/audit/verify");
  await person.press("Check the chain");
  await person.sees("The chain is whole");
  const head = await person.page.locator("#head").inputValue();
  await person.fill({ "Head of an earlier check, if you kept one": head });
  await person.press("Check again");
  await person.sees("The head that you gave is in it.");
}

async function account(person, wardroom, tag) {
  await person.go("/admin/account");
  await person.fill({ "First name": `Ruth ${tag}` });
  await person.press("Save profile");
  await person.sees("Your profile is saved.");
  const other = await wardroom.api("POST", "/api/users/auth/pwd/signin", { username: "root", password: PASSWORD }, null);
  person.faults.check(other.token, person.where, "the other session was not made");
  await person.go("/admin/account");
  await person.press(/^End (?!all)/);
  await person.sees("The session is ended.");
  await person.press("End all other sessions");
  await person.sees("Your other sessions are ended.");
  for (const [old, next] of [[PASSWORD, OTHER], [OTHER, PASSWORD]]) {
    await person.fill({ "New password": next, "New password again": next });
    await person.page.locator("#p-old_password").fill(old);
    await person.press("Change password");
    await person.sees("Your password is changed.");
  }
  await person.go("/admin/confirm?next=/admin/groups");
  await person.fill({ Password: PASSWORD });
  await person.press("Confirm");
  person.faults.check(person.page.url().endsWith("/admin/groups"), person.where, `after the proof the page is ${person.page.url()}`);
}

/** Looks are kept by the server, whether a script or a form says so. */
async function look(person, hasScripts) {
  for (const [within, button, name] of [["#nav", "Dark", "theme"], ["main", "Dense", "density"]]) {
    await person.go("/admin/users");
    const press = person.page.locator(within).getByRole("button", { name: button, exact: true });
    if (hasScripts) await Promise.all([person.page.waitForResponse((one) => one.url().endsWith("/admin/look")), press.click()]);
    else await Promise.all([person.page.waitForNavigation(), press.click()]);
    await person.go("/admin/users");
    const kept = await person.page.locator("html").getAttribute(`data-${name}`);
    person.faults.check(kept === button.toLowerCase().replace("dense", "compact"), person.where, `${name} is ${kept} after ${button}`);
  }
}

async function signOut(person) {
  await person.go("/admin");
  await person.press("Sign out", { within: person.page.locator("body") });
  await person.sees("You are signed out.");
  await person.page.goto("/admin/users?is_staff=true");
  const url = new URL(person.page.url());
  person.faults.check(url.pathname === "/admin/sign-in" && url.searchParams.get("next") === "/admin/users?is_staff=true", person.where, `without a session the page is ${url}`);
  await person.fill({ "User name": "root", Password: "wrong" });
  await person.press("Sign in");
  await person.sees("That did not work");
  await person.fill({ "User name": "root", Password: PASSWORD });
  await person.press("Sign in");
  person.faults.check(person.page.url().endsWith("/admin/users?is_staff=true"), person.where, `after the sign-in the page is ${person.page.url()}`);
}

/** All of it. A step that fails is a fault, and the next one begins. */
export async function doEverything(person, s, wardroom, tag, hasScripts) {
  const step = async (name, done) => {
    const began = Date.now();
    try {
      return await done();
    } catch (error) {
      person.faults.add(`${person.where} ${name} ${person.page.url()}`, String(error.message).split("\n").slice(0, 4).join(" "));
      return null;
    } finally {
      if (process.env.SITE_TIMES) console.log(`${person.where} ${name}: ${Date.now() - began} ms`);
    }
  };
  await step("pages", () => openEverything(person, s));
  const user = await step("users", () => users(person, s, tag));
  if (user) {
    await step("conflict", () => conflict(person, s, wardroom, user));
    await step("tokens", () => tokens(person, s, tag, user));
    await step("old proof", () => oldProof(person, wardroom, user));
    await step("pictures", () => pictures(person, user));
  }
  await step("lists", () => lists(person, s, tag));
  await step("notes", () => noteOfOthers(person));
  await step("views", () => views(person, s, tag));
  await step("groups", () => groups(person, s, tag));
  await step("permissions", () => permissions(person, tag));
  if (user) await step("recycle bin", () => recycleBin(person, user));
  await step("audit", () => audit(person));
  await step("look", () => look(person, hasScripts));
  await step("account", () => account(person, wardroom, tag));
  await step("sign-out", () => signOut(person));
}

/** The first visit: the link that the server printed, and then every list without anything in it. */
export async function firstVisit(person, link) {
  const url = new URL(link);
  await person.go(url.pathname + url.search);
  await person.fill({ "User name": "first", Password: PASSWORD, "Password again": "another one" });
  await person.press("Create the admin and sign in");
  await person.sees("The two passwords differ.");
  await person.fill({ Password: PASSWORD, "Password again": PASSWORD });
  await person.press("Create the admin and sign in");
  for (const path of ["", "/users", "/groups", "/permissions", "/tokens", "/sessions", "/audit", "/bin", "/bin/groups", "/account"]) await person.go(`/admin${path}`);
  await person.go(url.pathname + url.search, 404);
}
