//! The world of the matrix: users of every role, targets, groups, and the tokens of all.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use wardroom::directory::model::{GroupKey, LinkKey, TokenKey, User, UserKey};
use wardroom::directory::password::Password;
use wardroom::directory::transfer::seed::{SeedRows, SeedToken, SeedUser};

use crate::support::site::{imported, imported_group, moment, operator};
use crate::support::{Backend, Rows, Site};

use super::deltas::roots;

pub type Codes = BTreeSet<i64>;

/// The code of every permission, in the order of their ids.
pub const CODES: [i64; 15] =
    [1201, 1202, 1203, 1204, 1221, 1222, 1223, 1224, 1231, 1232, 1233, 1234, 1242, 1252, 1282];
/// The names of the permissions, in the same order: the names of their scopes.
const NAMES: [&str; 15] = [
    "group_create",
    "group_read",
    "group_update",
    "group_delete",
    "user_create",
    "user_read",
    "user_update",
    "user_delete",
    "token_create",
    "token_read",
    "token_update",
    "token_delete",
    "audit_read",
    "permission_read",
    "introspection_read",
];
/// Codes that most actors lack.
pub const RARE: i64 = 1242;
/// The password of all users.
pub const PASSWORD: &str = "an unlikely pass phrase";
/// A user with a pending invitation, and its key.
pub const INVITED: &str = "member";
pub const LINK_KEY: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
/// A user without a password.
pub const WITHOUT_PASSWORD: &str = "strong";
/// Its hash for most of them: it costs next to nothing to check.
const CHEAP: &str = "pbkdf2_sha256$1$matrix$5Du04eXhGVvaIoZChPXpdo1rnPUcr4ErcqeDGqHQQZE=";
/// The user who signs in has the password in the current encoding: a sign-in replaces a cheaper one.
const SIGN_IN: [&str; 2] = ["other plain", "admin"];
/// The user to whom a code was sent, and the code.
pub const CODE_OWNER: &str = "other plain";
pub const CODE: &str = "012345";
/// The first ids, chosen so that no other user has them.
const FIRST: i64 = 1000;
/// Added to a group's position in the list, this is the group's id.
const FIRST_GROUP: i64 = 100;

#[derive(Clone, Debug, Default)]
pub struct Person {
    pub id: i64,
    pub name: String,
    pub staff: bool,
    pub admin: bool,
    pub inactive: bool,
    /// The codes attached to them.
    pub own: Codes,
    pub groups: BTreeSet<i64>,
    /// In the recycle bin.
    pub binned: bool,
}

#[derive(Clone, Debug)]
pub struct Group {
    pub id: i64,
    pub name: String,
    pub codes: Codes,
}

/// A group in the recycle bin.
#[derive(Clone, Debug)]
pub struct BinnedGroup {
    pub id: i64,
    pub name: String,
    pub codes: Codes,
    /// Its members, of whom some may be in the recycle bin.
    pub members: BTreeSet<i64>,
}

#[derive(Clone, Debug)]
pub struct Token {
    pub id: i64,
    pub owner: i64,
    pub name: String,
    pub kind: &'static str,
    pub key: String,
    pub ends: bool,
    pub revoked: bool,
    /// The user whose sign-in it is or was derived from.
    pub came_of: Option<i64>,
    /// The form in which the database stores that, as in `deltas`.
    pub root: String,
    /// Its name in `CALLING` or `NARROW_TARGETS`, and what it is narrowed to.
    pub narrow: Option<(&'static str, Narrow)>,
}

/// What a token is narrowed to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Narrow {
    /// The stored form.
    pub scopes: Option<&'static str>,
    pub read_only: bool,
    /// One network, in its stored form.
    pub networks: Option<&'static str>,
}

impl Narrow {
    pub fn has(&self, scope: &str) -> bool {
        self.scopes.is_none_or(|scopes| scopes.split(' ').any(|name| name == scope))
    }

    /// Whether it may be used from another network only.
    pub fn is_away(&self) -> bool {
        self.networks.is_some_and(|network| network != HERE)
    }

    /// Whether a token with this has at most what a token with `other` has.
    pub fn is_within(&self, other: &Self) -> bool {
        let has_all = |scopes: &str| scopes.split(' ').all(|scope| scope.is_empty() || other.has(scope));
        let scopes = self.scopes.map_or(other.scopes.is_none(), has_all);
        let networks = other.networks.is_none() || self.networks == other.networks;
        scopes && networks && (self.read_only || !other.read_only)
    }

    /// The columns of a token, as JSON.
    pub fn columns(&self) -> [Value; 3] {
        [self.scopes.into(), self.read_only.into(), self.networks.into()]
    }
}

/// Where all tests are.
pub const HERE: &str = "127.0.0.0/8";
/// No test is there.
pub const AWAY: &str = "203.0.113.0/24";
/// All names, as they are stored.
const ALL_SCOPES: &str = "me_read me_write group_create group_read group_update group_delete user_create user_read \
                          user_update user_delete token_create token_read token_update token_delete audit_read \
                          permission_read introspection_read";

const fn scoped(scopes: &'static str) -> Narrow {
    Narrow { scopes: Some(scopes), read_only: false, networks: None }
}

/// Narrow tokens of callers: a name, the owner, and what it is narrowed to.
const CALLING: [(&str, &str, Narrow); 11] = [
    ("narrowed to all scopes", "admin", scoped(ALL_SCOPES)),
    ("narrowed to all scopes", "staff with all", scoped(ALL_SCOPES)),
    ("narrowed to me_read", "admin", scoped("me_read")),
    ("narrowed to me_read", "plain", scoped("me_read")),
    ("narrowed to me_write", "staff with all", scoped("me_write")),
    (
        "narrowed to permissions",
        "staff with all",
        scoped("group_update user_read user_update token_create token_update token_delete"),
    ),
    ("narrowed beyond its owner", "staff", scoped("user_read")),
    ("narrowed to nothing", "admin", scoped("")),
    ("narrowed to reading", "admin", Narrow { scopes: None, read_only: true, networks: None }),
    ("narrowed to here", "staff with all", Narrow { scopes: None, read_only: false, networks: Some(HERE) }),
    ("narrowed to elsewhere", "admin", Narrow { scopes: None, read_only: false, networks: Some(AWAY) }),
];

/// Narrow tokens that are only targets. Their owner has no rights, so only what the tokens have decides.
const NARROW_TARGETS: [(&str, &str, Narrow); 5] = [
    ("narrowed to user_read", "other plain", scoped("user_read")),
    ("narrowed to audit_read", "other plain", scoped("audit_read")),
    ("narrowed to nothing", "other plain", scoped("")),
    (
        "narrowed to reading users",
        "other plain",
        Narrow { scopes: Some("user_read"), read_only: true, networks: None },
    ),
    (
        "narrowed to users here",
        "other plain",
        Narrow { scopes: Some("user_read"), read_only: false, networks: Some(HERE) },
    ),
];

/// A user's token in use: the caller.
#[derive(Clone, Debug)]
pub struct Actor {
    pub name: String,
    /// `None` for an anonymous caller.
    pub person: Option<Person>,
    pub token: Option<Token>,
    /// The rights of the actor, their own and those of their groups.
    pub rights: Codes,
}

impl Actor {
    /// What the token is narrowed to.
    pub fn narrow(&self) -> Narrow {
        self.token.as_ref().and_then(|token| token.narrow).map(|(_, narrow)| narrow).unwrap_or_default()
    }
}

pub struct World {
    pub people: BTreeMap<i64, Person>,
    pub groups: BTreeMap<i64, Group>,
    pub binned_groups: BTreeMap<i64, BinnedGroup>,
    pub tokens: Vec<Token>,
    /// The callers, and the users they act as.
    roles: Vec<String>,
    /// Users with a higher id are new.
    pub last: i64,
    /// Whether there are admins other than the caller.
    pub other_admins: bool,
}

fn codes(codes: &[i64]) -> Codes {
    codes.iter().copied().collect()
}

fn all_but(missing: &[i64]) -> Codes {
    CODES.into_iter().filter(|code| !missing.contains(code)).collect()
}

/// The time at which tokens with an end do end: no sign-in made at `MADE` lasts longer.
pub const END: &str = "2025-09-01T20:00:00.000000Z";
const MADE: &str = "2025-09-01T08:00:00Z";

/// The owners of tokens that were derived from a sign-in, with the user of that sign-in.
const OF_SIGN_INS: [(&str, &str); 7] = [
    ("plain", "plain"),
    ("staff with all", "staff with all"),
    ("admin", "admin"),
    ("other plain", "other plain"),
    ("weak staff", "staff with all"),
    ("strong", "other plain"),
    ("other admin", "admin"),
];

impl World {
    /// All users as they should be; nothing is written yet.
    pub fn new() -> Self {
        let mut world = Self {
            people: BTreeMap::new(),
            groups: BTreeMap::new(),
            binned_groups: BTreeMap::new(),
            tokens: Vec::new(),
            roles: Vec::new(),
            last: 0,
            other_admins: true,
        };
        world.add_group("none", &[]);
        world.add_group("mine", &[]);
        world.add_group("admins", &[]);
        world.add_group("rare", &[RARE]);
        world.add_group("all", &CODES);
        for code in CODES {
            world.add_group(&code.to_string(), &[code]);
        }
        world.add_roles();
        world.add_others();
        world.add_binned();
        world.add_binned_groups();
        world.add_tokens();
        world
    }

    /// The statements that invite a user, and take the password of another one.
    pub fn links(&self, backend: Backend) -> String {
        let digest = LinkKey::parse(LINK_KEY).unwrap().digest();
        let hex = digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let digest = if backend == Backend::Sqlite { format!("x'{hex}'") } else { format!("'\\x{hex}'") };
        format!(
            "INSERT INTO links (user_id, kind, digest, created_at, expires_at, made_by) \
             VALUES ({}, 'invitation', {digest}, 1, 9000000000000000, 'test'); \
             UPDATE users SET password = '!' WHERE id = {}",
            self.person(INVITED).id,
            self.person(WITHOUT_PASSWORD).id
        )
    }

    fn add_group(&mut self, name: &str, held: &[i64]) {
        let id = FIRST_GROUP + i64::try_from(self.groups.len()).unwrap();
        self.groups.insert(id, Group { id, name: name.to_owned(), codes: codes(held) });
    }

    fn add(&mut self, name: &str, groups: &[&str], person: Person) {
        let id = FIRST + i64::try_from(self.people.len()).unwrap();
        let groups = groups.iter().map(|group| self.group(group).id).collect();
        self.people.insert(id, Person { id, name: name.to_owned(), groups, ..person });
    }

    /// Each role, and for each a peer with the same rights.
    fn add_roles(&mut self) {
        let staff = |own: Codes| Person { staff: true, own, ..Person::default() };
        let mut roles = vec![
            ("plain".to_owned(), Person::default()),
            ("plain with all".to_owned(), Person { own: codes(&CODES), ..Person::default() }),
            ("inactive with all".to_owned(), Person { inactive: true, ..staff(codes(&CODES)) }),
            ("staff".to_owned(), staff(Codes::new())),
            ("staff with all".to_owned(), staff(codes(&CODES))),
            ("staff without 1242".to_owned(), staff(all_but(&[RARE]))),
            ("staff without 1203".to_owned(), staff(all_but(&[1203]))),
            ("staff that cannot read".to_owned(), staff(all_but(&[1202, 1222, 1232]))),
            ("admin".to_owned(), Person { admin: true, ..Person::default() }),
        ];
        for pair in [[1203, 1223], [1203, 1221], [1204, 1223], [1203, 1204], [1222, 1223], [1202, 1203]] {
            roles.push((format!("staff with {} and {}", pair[0], pair[1]), staff(codes(&pair))));
        }
        roles.extend(CODES.map(|code| (format!("staff with {code}"), staff(codes(&[code])))));
        for (name, person) in roles {
            let groups: &[&str] = if person.admin { &["none"] } else { &["mine"] };
            self.add(&format!("peer of {name}"), &[], person.clone());
            self.add(&name, groups, person);
            self.roles.push(name);
        }
        self.add("staff by group", &["all", "mine"], staff(Codes::new()));
        self.roles.push("staff by group".to_owned());
    }

    /// Users who are only targets.
    fn add_others(&mut self) {
        let plain = Person::default;
        let staff = |own: &[i64]| Person { staff: true, own: codes(own), ..plain() };
        self.add("other plain", &[], plain());
        self.add("bystander", &[], plain());
        self.add("member", &["none"], plain());
        self.add("weak staff", &[], staff(&[]));
        self.add("strong", &[], staff(&[RARE]));
        self.add("strong by group", &["rare"], staff(&[]));
        self.add("strongest", &[], staff(&CODES));
        self.add("dormant", &[], Person { own: codes(&[RARE]), ..plain() });
        self.add("other admin", &["admins"], Person { admin: true, ..plain() });
        self.add("other inactive", &["none"], Person { inactive: true, ..staff(&[]) });
        for code in CODES {
            self.add(&format!("ward {code}"), &[&code.to_string()], plain());
        }
    }

    fn add_binned(&mut self) {
        let binned = Person { binned: true, ..Person::default() };
        self.add("deleted plain", &["none"], binned.clone());
        self.add("deleted strong", &[], Person { own: codes(&[RARE]), staff: true, ..binned.clone() });
        self.add("deleted by group", &["rare"], Person { staff: true, ..binned.clone() });
        self.add("deleted admin", &[], Person { admin: true, ..binned });
    }

    fn add_binned_groups(&mut self) {
        let roles = self.roles.iter().map(|role| self.person(role));
        let own: Vec<_> = roles.filter(|person| !person.admin).map(|person| person.name.clone()).collect();
        let own: Vec<&str> = own.iter().map(String::as_str).collect();
        for (name, held, members) in [
            ("gone empty", &[][..], &[][..]),
            ("gone plain", &[], &["other plain", "member"]),
            ("gone rare", &[RARE], &["other plain"]),
            ("gone rare empty", &[RARE], &[]),
            ("gone admins", &[], &["other plain", "other admin"]),
            ("gone mine", &[], &own),
            ("gone with deleted", &[1204], &["deleted plain"]),
            ("gone with both", &[1204], &["deleted plain", "other plain"]),
            ("gone with deleted admin", &[], &["deleted admin"]),
        ] {
            let known = self.groups.len() + self.binned_groups.len();
            let id = FIRST_GROUP + i64::try_from(known).unwrap();
            let members = members.iter().map(|name| self.person(name).id).collect();
            let group = BinnedGroup { id, name: name.to_owned(), codes: codes(held), members };
            self.binned_groups.insert(id, group);
        }
    }

    /// All have a token that was issued and one that a sign-in made; some have more.
    fn add_tokens(&mut self) {
        let mut tokens = Vec::new();
        let mut add = |owner: i64, kind: &'static str, came_of: Option<i64>, revoked: bool| {
            let number = tokens.len() + 0xabc_0000;
            let (name, key) = (format!("matrix {number}"), format!("{number:040x}"));
            let (ends, root) = (came_of.is_some(), "none".to_owned());
            tokens.push(Token { id: 0, owner, name, kind, key, ends, revoked, came_of, root, narrow: None });
        };
        for person in self.people.values() {
            add(person.id, "api", None, false);
            add(person.id, "sign_in", Some(person.id), false);
            if ["staff with all", "admin", "other plain", "strong"].contains(&person.name.as_str()) {
                add(person.id, "api", None, true);
            }
        }
        for (owner, sign_in) in OF_SIGN_INS {
            add(self.person(owner).id, "api", Some(self.person(sign_in).id), false);
        }
        for (of, owner, narrow) in CALLING.into_iter().chain(NARROW_TARGETS) {
            let owner = self.person(owner).id;
            let plain = tokens.iter().find(|token: &&Token| token.owner == owner).unwrap().clone();
            let number = tokens.len() + 0xabc_0000;
            let (name, key) = (format!("matrix {number}"), format!("{number:040x}"));
            tokens.push(Token { name, key, narrow: Some((of, narrow)), ..plain });
        }
        self.tokens = tokens;
    }

    /// Writes all of it into a site's database.
    pub async fn settle(&mut self, site: &Site, rows: &Rows) {
        let known = rows.texts("SELECT CAST(code AS TEXT) FROM permissions ORDER BY id").await;
        assert_eq!(known, CODES.map(|code| code.to_string()), "a permission that no role here has");
        let users =
            self.people.values().map(|person| SeedUser { user: user(person), password: CHEAP.into() });
        let binned = self.binned_groups.values().map(|group| imported_group(group.id, &group.name));
        let groups = self.groups.values().map(|group| imported_group(group.id, &group.name)).chain(binned);
        let tokens = self.tokens.iter().map(|token| SeedToken {
            id: None,
            user_id: token.owner.try_into().unwrap(),
            name: token.name.clone(),
            key: TokenKey::imported(token.key.clone()),
            created_at: moment(MADE),
            expires_at: token.ends.then(|| moment(END)),
        });
        let records = SeedRows { groups: groups.collect(), users: users.collect(), tokens: tokens.collect() };
        site.directory().seed(&operator(), records).await.unwrap();
        let key = |id: i64| UserKey::Id(id.try_into().unwrap());
        for name in SIGN_IN {
            let password = Password::new(PASSWORD.into());
            site.directory().set_password(&operator(), &key(self.person(name).id), password).await.unwrap();
        }
        rows.run(&self.rest()).await;
        for id in self.binned_groups.keys() {
            let key = GroupKey::Id((*id).try_into().unwrap());
            site.directory().delete_group(&operator(), &key).await.unwrap();
        }
        for binned in self.people.values().filter(|person| person.binned) {
            site.directory().delete_user(&operator(), &key(binned.id)).await.unwrap();
        }
        self.tokens.retain(|token| !self.people[&token.owner].binned);
        let ids = rows.texts("SELECT id || ' ' || name FROM tokens WHERE name LIKE 'matrix %'").await;
        for line in ids {
            let (id, name) = line.split_once(' ').unwrap();
            self.tokens.iter_mut().find(|token| token.name == name).unwrap().id = id.parse().unwrap();
        }
        let roots = roots(&rows.all().await);
        for token in &mut self.tokens {
            token.root = roots[&token.id].clone();
        }
        self.last = *self.people.keys().max().unwrap();
        rows.keep().await;
    }

    /// What an import does not write.
    fn rest(&self) -> String {
        let mut steps = Vec::new();
        let groups = self.groups.values().map(|group| (group.id, &group.codes));
        let groups = groups.chain(self.binned_groups.values().map(|group| (group.id, &group.codes)));
        for (table, column, id, codes) in self
            .people
            .values()
            .map(|person| ("user_permissions", "user_id", person.id, &person.own))
            .chain(groups.map(|(id, codes)| ("group_permissions", "group_id", id, codes)))
        {
            for code in codes {
                let permission = permission(*code);
                steps.push(format!(
                    "INSERT INTO {table} ({column}, permission_id) VALUES ({id}, {permission})"
                ));
            }
        }
        for group in self.binned_groups.values() {
            let join = |user: &i64| {
                format!("INSERT INTO memberships (user_id, group_id) VALUES ({user}, {})", group.id)
            };
            steps.extend(group.members.iter().map(join));
        }
        steps.push(format!("UPDATE users SET updated_at = created_at WHERE id >= {FIRST}"));
        for token in &self.tokens {
            let revoked = if token.revoked { "created_at" } else { "NULL" };
            steps.push(format!(
                "UPDATE tokens SET kind = '{}', revoked_at = {revoked} WHERE name = '{}'",
                token.kind, token.name
            ));
        }
        for token in &self.tokens {
            let Some((_, narrow)) = token.narrow else { continue };
            let text = |text: Option<&str>| text.map_or("NULL".to_owned(), |text| format!("'{text}'"));
            steps.push(format!(
                "UPDATE tokens SET scopes = {}, read_only = {}, allowed_networks = {} WHERE name = '{}'",
                text(narrow.scopes),
                narrow.read_only,
                text(narrow.networks),
                token.name
            ));
        }
        for token in &self.tokens {
            let Some(sign_in) = token.came_of.and_then(|user| self.token(user, "sign_in", false)) else {
                continue;
            };
            let maker = if token.kind == "sign_in" { "sign_in" } else { "token" };
            steps.push(format!(
                "UPDATE tokens SET made_by = '{maker}', root = (SELECT s.digest FROM tokens s WHERE s.name = '{}') \
                 WHERE name = '{}'",
                sign_in.name, token.name
            ));
        }
        steps.join("; ")
    }

    pub fn person(&self, name: &str) -> &Person {
        self.people
            .values()
            .find(|person| person.name == name)
            .unwrap_or_else(|| panic!("no user is named {name}"))
    }

    pub fn group(&self, name: &str) -> &Group {
        self.groups.values().find(|group| group.name == name).unwrap_or_else(|| panic!("no group is {name}"))
    }

    pub fn binned_group(&self, name: &str) -> &BinnedGroup {
        let mut groups = self.binned_groups.values();
        groups.find(|group| group.name == name).unwrap_or_else(|| panic!("no deleted group is {name}"))
    }

    pub fn members(&self, group: i64) -> impl Iterator<Item = &Person> {
        self.people.values().filter(move |person| !person.binned && person.groups.contains(&group))
    }

    /// All rights of a user with these permissions and groups.
    pub fn rights(&self, own: &Codes, groups: &BTreeSet<i64>) -> Codes {
        let by_groups =
            groups.iter().filter_map(|group| self.groups.get(group)).flat_map(|group| &group.codes);
        own.iter().chain(by_groups).copied().collect()
    }

    pub fn rights_of(&self, person: &Person) -> Codes {
        self.rights(&person.own, &person.groups)
    }

    /// The names of a user's narrow tokens.
    pub fn narrow_kinds(&self, owner: i64) -> Vec<&'static str> {
        let tokens = self.tokens.iter().filter(|token| token.owner == owner);
        tokens.filter_map(|token| token.narrow.map(|(name, _)| name)).collect()
    }

    /// A token of a user, by its kind and whether it is revoked. `of sign_in` is one that was derived from a sign-in.
    pub fn token(&self, owner: i64, kind: &str, revoked: bool) -> Option<&Token> {
        let is = |token: &&Token| match (token.kind, token.came_of) {
            _ if token.narrow.is_some() => token.narrow.is_some_and(|(name, _)| kind == name),
            ("api", Some(_)) => kind == "of sign_in",
            (is, _) => kind == is,
        };
        self.tokens.iter().filter(is).find(|token| token.owner == owner && token.revoked == revoked)
    }

    /// A user with one of their tokens.
    pub fn actor(&self, name: &str, kind: &str) -> Actor {
        let person = self.person(name).clone();
        let token = self.token(person.id, kind, false).cloned();
        let label = match kind {
            "api" => name.to_owned(),
            "sign_in" => format!("{name}, signed in"),
            narrow if narrow.starts_with("narrowed") => format!("{name}, {narrow}"),
            _ => format!("{name}, by a token of a sign-in"),
        };
        let mut actor = Actor { name: label, rights: self.rights_of(&person), person: Some(person), token };
        if actor.narrow().scopes.is_some() {
            let person = actor.person.as_mut().unwrap();
            let is_in_scope = |code: &i64| {
                let place = CODES.iter().position(|known| known == code).unwrap();
                actor.token.as_ref().is_some_and(|token| token.narrow.unwrap().1.has(NAMES[place]))
            };
            let held = if person.admin { codes(&CODES) } else { actor.rights.clone() };
            actor.rights = held.into_iter().filter(is_in_scope).collect();
            person.staff |= person.admin;
            person.admin = false;
        }
        actor
    }

    /// All actors, each with a token that was issued to them.
    pub fn actors(&self) -> Vec<Actor> {
        let anonymous =
            Actor { name: "anonymous".to_owned(), person: None, token: None, rights: Codes::new() };
        let each = self.roles.iter().map(|role| self.actor(role, "api"));
        let narrow = CALLING.map(|(kind, owner, _)| self.actor(owner, kind));
        std::iter::once(anonymous).chain(each).chain(narrow).collect()
    }
}

/// Returns the id of a permission by its code.
pub fn permission(code: i64) -> i64 {
    let place = CODES.iter().position(|known| *known == code).unwrap();
    i64::try_from(place).unwrap() + 1
}

fn user(person: &Person) -> User {
    let name = username(person);
    User {
        mobile_number: Some(mobile_number(person)),
        email: Some(format!("{name}@example.com")),
        first_name: "First".into(),
        last_name: "Last".into(),
        gender: Some("female".into()),
        is_staff: person.staff,
        is_admin: person.admin,
        is_active: !person.inactive,
        groups: person.groups.iter().map(|group| (*group).try_into().unwrap()).collect(),
        ..imported(person.id, &name)
    }
}

pub fn username(person: &Person) -> String {
    format!("m.{}", person.name.replace(' ', "."))
}

pub fn mobile_number(person: &Person) -> String {
    format!("+49 711 {}", person.id)
}
