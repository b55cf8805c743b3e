// With scripts, a list is exchanged in place: no page load, the focus stays, the result is announced, the address follows, and
// Back and Forward work.
export async function judge(person) {
  const { page, faults } = person;
  let loads = 0;
  page.on("load", () => { loads += 1; });
  let where = "";
  const check = (is, what) => faults.check(is, `lists: ${where}`, what);
  const changed = async (act) => {
    const before = await page.evaluate(() => { document.querySelector("#list").dataset.before = "yes"; document.querySelector("#say").textContent = ""; return location.href; });
    await act();
    await page.waitForFunction(() => !document.querySelector("#list").dataset.before);
    await page.waitForFunction(() => document.querySelector("#say").textContent !== "").catch(() => check(false, "nothing was announced"));
    return before;
  };
  const state = () => page.evaluate(() => ({
    said: document.querySelector("#say").textContent, live: document.querySelector("#say").getAttribute("role"), mark: window.mark,
    focus: document.activeElement.id || document.activeElement.tagName, inList: document.querySelector("#list").contains(document.activeElement),
    first: document.querySelector("#list tbody th[scope=row]")?.textContent.trim(), url: location.pathname + location.search, title: document.title,
  }));
  const start = async (path) => {
    await person.go(path);
    await page.evaluate(() => { window.mark = "the same page"; });
    loads = 0;
  };
  const same = (now) => {
    check(loads === 0 && now.mark === "the same page", "the whole page was loaded");
    check(now.live === "status" && now.said.length > 3, `announced: ${now.said}`);
  };

  where = "page turn";
  await start("/admin/users");
  const first = await state();
  await changed(() => page.getByRole("link", { name: "Next" }).click());
  const second = await state();
  same(second);
  check(second.first !== first.first && second.url.includes("cursor="), `the second page is ${second.url} with ${second.first}`);
  check(second.inList, `the focus is on ${second.focus}`);

  where = "Back and Forward";
  await changed(() => page.goBack());
  same(await state());
  check((await state()).first === first.first && (await state()).url === first.url, `Back shows ${JSON.stringify(await state())}`);
  await changed(() => page.goForward());
  same(await state());
  check((await state()).first === second.first, `Forward shows ${(await state()).first}`);

  where = "sort";
  await start("/admin/users");
  await changed(() => page.locator("#list thead").getByRole("link", { name: "Last sign-in" }).click());
  const sorted = await state();
  same(sorted);
  check(/ordering=-?last_login\b/.test(sorted.url), `the address is ${sorted.url}`);
  check(await page.locator("#list th[aria-sort]").count() === 1, "no aria-sort");
  check(sorted.inList, `the focus is on ${sorted.focus}`);

  where = "filter";
  await start("/admin/users");
  await page.locator("#find summary").click();
  await page.getByLabel("Staff", { exact: true }).selectOption("true");
  await changed(() => page.getByRole("button", { name: "Show these people" }).click());
  const filtered = await state();
  same(filtered);
  check(filtered.url.includes("is_staff=true"), `the address is ${filtered.url}`);
  check(filtered.focus !== "BODY", "the focus is lost");
  await changed(() => page.locator("#list .chip").first().click());
  same(await state());
  check(!(await state()).url.includes("is_staff"), "the chip does not take the filter away");
  await changed(() => page.goBack());
  check(await page.getByLabel("Staff", { exact: true }).inputValue() === "true", "after Back the form does not show the filter");

  where = "search";
  await start("/admin/users");
  await page.locator("#q").fill("Maryam");
  await changed(() => page.locator("#q").press("Enter"));
  const found = await state();
  same(found);
  check(found.focus === "q" && found.said.startsWith("1 user shown"), `the focus is on ${found.focus}, announced: ${found.said}`);
  await page.locator("#q").fill("nobody-is-called-like-this");
  await changed(() => page.locator("#q").press("Enter"));
  check((await state()).said.startsWith("0 users shown"), `announced: ${(await state()).said}`);

  for (const [path, name] of [["/admin/groups?search=a", "Group"], ["/admin/tokens", "Ends"], ["/admin/bin", "Name"]]) {
    where = `sort of ${path}`;
    await start(path);
    await changed(() => page.locator("#list thead").getByRole("link", { name, exact: false }).first().click());
    same(await state());
    check((await state()).url.includes("ordering="), `the address is ${(await state()).url}`);
  }

  where = "a session that ended";
  await start("/admin/users");
  const cookies = await person.context.cookies();
  await person.context.clearCookies();
  await Promise.all([page.waitForURL((url) => url.pathname === "/admin/sign-in"), page.getByRole("link", { name: "Next" }).click()]);
  await person.context.addCookies(cookies);

  where = "selection";
  await start("/admin/users?search=haddad");
  await page.locator("#list thead input").check();
  check((await page.locator("#list .bulk").innerText()).includes("7 selected"), `the bar says ${await page.locator("#list .bulk").innerText()}`);
  await page.locator("#list tbody input").nth(0).uncheck();
  await page.locator("#list tbody input").nth(4).click({ modifiers: ["Shift"] });
  check(await page.locator("#list tbody input:checked").count() < 6, "Shift does not select a range");

  where = "local times";
  await start("/admin/users");
  check(await page.locator("time[title$=UTC]").count() > 3, "times are not local");
}
