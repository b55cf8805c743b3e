// Every page that can be opened by its address, with the status that it has. `s` is what `seed` returned.
export function places(s) {
  return [
    ["overview", "/admin"],
    ["overview, 7 days", "/admin?span=7d"],
    ["overview, 90 days", "/admin?span=90d"],
    ["overview, wrong span", "/admin?span=century", 400],
    ["users", "/admin/users"],
    ["users, filtered", "/admin/users?is_staff=true&is_active=true&ordering=-last_login"],
    ["users, found", "/admin/users?search=%D9%86"],
    ["users, none", "/admin/users?search=nobody-is-called-like-this"],
    ["users, wrong filter", "/admin/users?created_from=yesterday&shoe_size=44", 400],
    ["user", `/admin/users/${s.person}`],
    ["user, long", `/admin/users/${s.long}`],
    ["user, of nobody", "/admin/users/987654", 404],
    ["user, new", "/admin/users/new"],
    ["user, edit", `/admin/users/${s.long}/edit`],
    ["user, rights", `/admin/users/${s.long}/rights`],
    ["user, groups", `/admin/users/${s.long}/groups`],
    ["user, groups found", `/admin/users/${s.person}/groups?search=night`],
    ["user, leave group", `/admin/users/${s.person}/groups/remove?group=${s.persian}`],
    ["user, password", `/admin/users/${s.person}/password`],
    ["user, picture", `/admin/users/${s.long}/picture`],
    ["user, sign out", `/admin/users/${s.long}/sign-out`],
    ["user, make admin", `/admin/users/${s.long}/admin`],
    ["user, unlock", `/admin/users/${s.id["person.06"]}/unlock`],
    ["user, deactivate", `/admin/users/${s.long}/deactivate`],
    ["user, activate", `/admin/users/${s.id["person.09"]}/activate`],
    ["user, delete", `/admin/users/${s.long}/delete`],
    ["groups", "/admin/groups"],
    ["groups, found", "/admin/groups?search=desk"],
    ["groups, none", "/admin/groups?search=no-such-group"],
    ["groups, wrong filter", "/admin/groups?min_users=many", 400],
    ["group", `/admin/groups/${s.desk}`],
    ["group, member found", `/admin/groups/${s.persian}?search=Alex`],
    ["group, no member found", `/admin/groups/${s.desk}?search=nobody-is-called-like-this`],
    ["group, new", "/admin/groups/new"],
    ["group, edit", `/admin/groups/${s.desk}/edit`],
    ["group, delete", `/admin/groups/${s.desk}/delete`],
    ["members, add", `/admin/groups/${s.desk}/members/add`],
    ["members, found", `/admin/groups/${s.desk}/members/add?search=noor`],
    ["members, remove", `/admin/groups/${s.desk}/members/remove?users=${s.long}`],
    ["permissions", "/admin/permissions"],
    ["permissions, none", "/admin/permissions?search=zzzz"],
    ["permission", `/admin/permissions/${s.builtIn}`],
    ["permission, own", `/admin/permissions/${s.own}`],
    ["permission, new", "/admin/permissions/new"],
    ["permission, edit", `/admin/permissions/${s.own}/edit`],
    ["permission, remove", `/admin/permissions/${s.own}/remove`],
    ["tokens", "/admin/tokens"],
    ["tokens, all states", "/admin/tokens?state=revoked"],
    ["tokens, wrong filter", "/admin/tokens?expires_from=soon", 400],
    ["token", `/admin/tokens/${s.nightly}`],
    ["token, revoked", `/admin/tokens/${s.gone}`],
    ["token, new", `/admin/users/${s.bot}/tokens/new`],
    ["token, edit", `/admin/tokens/${s.nightly}/edit`],
    ["token, rotate", `/admin/tokens/${s.nightly}/rotate`],
    ["token, revoke", `/admin/tokens/${s.nightly}/revoke`],
    ["token, find", "/admin/tokens/find"],
    ["sessions", "/admin/sessions"],
    ["audit", "/admin/audit"],
    ["audit, filtered", "/admin/audit?object_kind=user&actor_name=root"],
    ["audit, none", "/admin/audit?actor_name=nobody-is-called-like-this"],
    ["audit, wrong filter", "/admin/audit?from=yesterday", 400],
    ["audit, verify", "/admin/audit/verify"],
    ["bin, users", "/admin/bin"],
    ["bin, none", "/admin/bin?search=nobody-is-called-like-this"],
    ["bin, groups", "/admin/bin/groups"],
    ["bin, purge user", `/admin/bin/users/${s.deleted}/purge`],
    ["bin, purge group", `/admin/bin/groups/${s.oldGroup}/purge`],
    ["settings", "/admin/settings"],
    ["account", "/admin/account"],
    ["account, picture", "/admin/account/picture"],
    ["confirm", "/admin/confirm?next=/admin/users"],
    ["not found", "/admin/nothing", 404],
  ].map(([name, path, status = 200]) => ({ name, path, status }));
}

/** Pages that show errors beside their fields: a form of a page, and what is typed into it. */
export function mistakes(s) {
  return [
    ["user, new", "/admin/users/new", { "User name": "not a name!", "E-mail": "no-at-sign" }, "Create user"],
    ["user, edit", `/admin/users/${s.person}/edit`, { "User name": "", "E-mail": "no-at-sign" }, "Save changes"],
    ["user, password", `/admin/users/${s.person}/password`, { "New password": "short", "New password again": "other" }, "Set password"],
    ["group, new", "/admin/groups/new", { Name: "Support desk" }, "Create group"],
    ["members, add", `/admin/groups/${s.desk}/members/add`, { "User names, one a line, if you have a list": "nobody.1\nnobody.2" }, "Add to the group"],
    ["permission, new", "/admin/permissions/new", { Name: "Not A Name", "Code, if you need a certain one": "7" }, "Create permission"],
    ["token, new", `/admin/users/${s.bot}/tokens/new`, { Name: "x".repeat(200) }, "Issue token"],
    ["token, find", "/admin/tokens/find", { Key: "wrd_nobody" }, "Find its owner"],
    ["audit, verify", "/admin/audit/verify", { "Head of an earlier check, if you kept one": "no head" }, "Check the chain"],
    ["account, profile", "/admin/account", { "E-mail": "no-at-sign" }, "Save profile"],
    ["account, password", "/admin/account", { "#p-old_password": "wrong", "#p-new_password": "short", "#p-new_password_again": "short" }, "Change password"],
    ["confirm", "/admin/confirm", { Password: "wrong" }, "Confirm"],
  ].map(([name, path, typed, button]) => ({ name, path, typed, button }));
}

/** Fills in and sends a form that has mistakes. */
export async function mistake(person, { path, typed, button }) {
  await person.go(path);
  for (const [label, value] of Object.entries(typed)) {
    const field = label.startsWith("#") ? person.page.locator(label) : person.main().getByLabel(label, { exact: true });
    await field.first().fill(value);
  }
  await person.press(button);
}
