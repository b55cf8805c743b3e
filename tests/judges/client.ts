// What a client expects of the generated types. The compiler is the judge: a line that does not fit is an error, and so
// is a line that is marked as an error and fits.
import type { components } from "./api";

type Schemas = components["schemas"];

export function greeting(me: Schemas["Me"]): string {
  const name: string = me.full_name;
  const email: string | null = me.email;
  const groups: number[] = me.groups;
  const codes: number[] | undefined = me.permissions;
  return `${name} ${email ?? "-"} ${groups.length} ${codes?.join() ?? ""}`;
}

export function names(page: Schemas["Listing_UserItem"]): string[] {
  return page.results.map((user) => `${user.username} ${user.is_active}`);
}

export const created: Schemas["UserCreate"] = { username: "joan", gender: "female", email: null };
// @ts-expect-error A new user needs a username.
export const nameless: Schemas["UserCreate"] = { first_name: "Joan" };
// @ts-expect-error A first name is not null.
export const unnamed: Schemas["UserUpdate"] = { first_name: null };
// @ts-expect-error There are four genders, null, and the empty text that means null.
export const unknown: Schemas["UserUpdate"] = { gender: "f" };
// @ts-expect-error Passwords are not set in bulk.
export const bulk: Schemas["UserBulkCreate"] = { users: [{ username: "joan", password: "secret" }] };
export const kind: Schemas["TokenItem"]["kind"] = "sign_in";
