// What a caller may write. The compiler is the judge: a line that does not fit is an error, and so is a line that is marked
// as an error and fits.
import { Client, info, type Row } from "wardroom-client";

export async function right(client: Client): Promise<void> {
  const me = await client.call("users_me_retrieve");
  const name: string = me.full_name;
  const email: string | null = me.email;
  const page = await client.call("users_list", { query: { search: "joan", is_staff: true, limit: 5 } });
  const names: string[] = page.results.map((user) => `${user.username} ${name} ${email}`);
  const user = await client.call("users_create", { body: { username: "joan", gender: "female" } });
  await client.call("users_update", { path: { id: user.id }, body: { first_name: names[0] ?? "" }, ifMatch: info(user).etag ?? "" });
  await client.call("users_update", { path: { id: user.id }, avatar: { name: "a.png", content: new Blob() } });
  const nothing: void = await client.call("users_destroy", { path: { id: 7 } });
  for await (const row of client.iterate("users_list")) names.push(row.username);
  for await (const event of client.iterate("audit_list", { query: { action: "user.create" } })) names.push(event.action);
  for await (const event of client.exportAudit()) names.push(event.hash);
  const svg: string | null = (await client.call("users_avatar", { path: { id: 7 } })).svg;
  const row: Row<"groups_list"> = { id: 1, name: "A", notes: null, users_count: 0, created_at: "", updated_at: "" };
  void [nothing, svg, row];
}

export async function wrong(client: Client): Promise<void> {
  // @ts-expect-error There is no such operation.
  await client.call("users_remove");
  // @ts-expect-error The id is missing.
  await client.call("users_retrieve");
  // @ts-expect-error A new user needs a username.
  await client.call("users_create", { body: { first_name: "Joan" } });
  // @ts-expect-error There are four genders.
  await client.call("users_create", { body: { username: "joan", gender: "f" } });
  // @ts-expect-error There is no such filter.
  await client.call("users_list", { query: { is_nice: true } });
  // @ts-expect-error Reading has no body.
  await client.call("users_list", { body: {} });
  // @ts-expect-error A token has no version.
  await client.call("users_tokens_update", { path: { id: 1, token: 2 }, body: {}, ifMatch: "1" });
  // @ts-expect-error A group has no picture.
  await client.call("groups_create", { body: { name: "A" }, avatar: { name: "a", content: new Blob() } });
  // @ts-expect-error This has no pages.
  for await (const row of client.iterate("permissions_list")) void row;
}
