// The people, groups and tokens of an invented company, as they look in real ones: names in several scripts, with marks, very
// short and very long ones, and fields that nobody has filled in.
import { PASSWORD } from "./wardroom.mjs";

const PEOPLE = [
  ["Maryam", "Rostami"], ["نیلوفر", "کریمی‌نژاد"], ["علی‌رضا", "موسوی خوئینی"], ["Nguyễn", "Thị Ánh Tuyết"], ["Zoë", "Brontë-Okonkwo"],
  ["李", "小龍"], ["Đorđe", "Živković"], ["محمد", "آل‌احمد"], ["Ana María", "de la Cruz y Fernández-Villaverde"], ["O", "Ng"],
  ["Jürgen", "Großmann"], ["שרה", "לוי"], ["สมชาย", "วัฒนกุล"], ["Ólafur", "Þórðarson"], ["प्रिया", "शर्मा"], ["Tomasz", "Wiśniewski"],
  ["Hélène", "Lefèvre"], ["Κωνσταντίνος", "Παπαδόπουλος"], ["Олександра", "Шевченко"], ["Kwame", "Asante"],
];
const LAST = ["Abara", "Bianchi", "Castellanos", "Dubois", "Eriksen", "Farahani", "Grant", "Haddad", "Ivanova"];
const LONG = "Uvuvwevwevwe Onyetenyevwe Ugwemuhwem Osas Wolfeschlegelsteinhausenbergerdorff";

/** Fills a new Wardroom; returns the numbers that the judges need. Without extremes, no name is longer than people's names are. */
export async function seed(wardroom, { hasExtremes = true } = {}) {
  const api = (...given) => wardroom.api(...given);
  const codes = Object.fromEntries((await api("GET", "/api/users/permissions")).map((one) => [one.code, one.id]));
  const rights = (...wanted) => wanted.map((code) => codes[code]).filter(Boolean);
  const own = await api("POST", "/api/users/permissions", { name: "order_refund" });
  await api("POST", "/api/users/permissions", { name: "stock_count" });
  const group = async (name, notes, permissions) => (await api("POST", "/api/users/groups", { name, notes, permissions })).id;
  const desk = await group("Support desk", "Answers the phone, resets passwords, and looks after the accounts of shops.\nRota: see the calendar.", rights(1222, 1223, 1232, 1234));
  const auditors = await group("Auditors", "", rights(1222, 1202, 1242, 1252));
  const persian = await group("پشتیبانی تهران", "گروه پشتیبانی در تهران", [own.id]);
  await group("Billing", "Refunds up to 500 €", [own.id]);
  await group("Empty for now", null, []);
  if (hasExtremes) await group("A-group-whose-name-is-one-very-long-word-that-cannot-be-broken-anywhere-at-all-0123456789", "", []);
  for (const name of ["Drivers", "Warehouse north", "Warehouse south", "Night shift"]) await group(name, "", []);

  const users = [];
  for (const [at, [first_name, last_name]] of PEOPLE.entries()) {
    const username = `person.${String(at).padStart(2, "0")}`;
    users.push({ username, first_name, last_name, email: at % 3 ? `${username}@example.com` : null, mobile_number: at % 4 ? null : `+98912000${1000 + at}`,
      gender: ["female", "male", "", "non-binary"][at % 4], is_staff: at % 3 === 0, is_active: at !== 9 && at !== 15,
      groups: [[desk], [persian, desk], [], [auditors]][at % 4], permissions: at % 5 ? [] : rights(1222) });
  }
  for (let at = 0; at < 63; at += 1) {
    users.push({ username: `${LAST[at % 9].toLowerCase()}.${at}`, first_name: ["Sam", "Noor", "Alex", "Robin", "Kim", "Mika", "Jo"][at % 7], last_name: LAST[at % 9],
      email: `${LAST[at % 9].toLowerCase()}.${at}@example.com`, groups: at % 2 ? [persian] : [] });
  }
  if (hasExtremes) users.push({ username: "a-user-name-of-one-hundred-and-fifty-letters-".padEnd(150, "x"), first_name: LONG, last_name: LONG, email: `${"long-mail-address-".repeat(3)}@${"subdomain.".repeat(6)}example.com`, is_staff: true, groups: [desk, auditors, persian], permissions: rights(1222, 1242) });
  users.push({ username: "billing-bot", is_staff: true, groups: [] });
  const made = [];
  for (const user of users) made.push(await api("POST", "/api/users", user));
  const id = Object.fromEntries(made.map((user) => [user.username, user.id]));

  const soon = new Date(Date.now() + 3 * 864e5).toISOString();
  const later = new Date(Date.now() + 200 * 864e5).toISOString();
  const token = async (user, body) => (await api("POST", `/api/users/${user}/tokens`, body)).id;
  const bot = id["billing-bot"];
  const nightly = await token(bot, { name: "nightly export", expires_at: soon, scopes: ["user_read"], read_only: true, allowed_networks: ["10.0.0.0/8", "2001:db8::/32"] });
  await token(bot, { name: "گزارش شبانه", expires_at: later });
  const gone = await token(bot, { name: "left in a repository", expires_at: null });
  await api("DELETE", `/api/users/tokens/${gone}`);
  await token(id["person.00"], { name: hasExtremes ? "A name of a token as long as one can be: ".padEnd(100, "x") : "Shift planner", expires_at: later });

  // Sign-ins that fail, one that works, and what is deleted.
  const staff = id["person.00"];
  await api("PATCH", `/api/users/${staff}`, { password: PASSWORD });
  for (const password of ["wrong", "wrong again"]) await api("POST", "/api/users/auth/pwd/signin", { username: "person.06", password }, null);
  await api("POST", "/api/users/auth/pwd/signin", { username: "person.00", password: PASSWORD }, null);
  for (const name of ["eriksen.58", "farahani.59"]) await api("DELETE", `/api/users/${id[name]}`);
  const old = await group("Fax team", "Until 2019", []);
  await api("DELETE", `/api/users/groups/${old}`);
  await api("PATCH", `/api/users/${id["person.04"]}`, { last_name: "Brontë", is_staff: true, groups: [auditors] });
  return { id, desk, auditors, persian, own: own.id, builtIn: codes[1222], bot, nightly, gone, deleted: id["eriksen.58"], oldGroup: old, long: made.at(-2).id, person: id["person.01"] };
}
