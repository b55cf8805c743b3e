//! Misuses of the command line and their messages: what an operator reads who typed something wrong. Each message names
//! what was met and what to type next. A row that is wrong here is a message to look at again.

mod operation;

use crate::cli::on;
use crate::support::{Backend, Site, both};

/// The exit code, the command line, and the message.
type Misuse = (i32, &'static str, &'static str);

/// Splits a command line at blanks. A text between single quotes is one argument.
fn arguments(line: &str) -> Vec<String> {
    let mut arguments = Vec::new();
    for (number, part) in line.split('\'').enumerate() {
        match number % 2 {
            0 => arguments.extend(part.split_whitespace().map(str::to_owned)),
            _ => arguments.push(part.to_owned()),
        }
    }
    arguments
}

/// Users, groups, tokens, permissions and the audit trail.
const NOUNS: &[Misuse] = &[
    (2, "user", "Manage users"),
    (2, "user lst", "error: unrecognized subcommand 'lst' tip: a similar subcommand exists: 'list'"),
    (2, "user add", "error: the following required arguments were not provided: <USERNAME>"),
    (4, "user add alex_thompson", "wardroom: username: user with this username already exists."),
    (4, "user add ''", "wardroom: username: This field may not be blank."),
    (
        4,
        "user add 'two words'",
        "wardroom: username: Enter a valid username. This value may contain only letters, numbers, and @/./+/-/_ characters.",
    ),
    (
        4,
        "user add 4711",
        "wardroom: username: Enter a username that is not a number and does not begin with a hyphen.",
    ),
    (
        3,
        "user add new --group none --permission zz",
        "wardroom: there is no group named \"none\"; see `wardroom group list`; there is no permission named \"zz\"; see `wardroom permission list`",
    ),
    (
        2,
        "user add new --staff=perhaps",
        "error: unexpected value 'perhaps' for '--staff' found; no more were expected tip: write --staff or --no-staff, without a value",
    ),
    (2, "user add new --staff --no-staff", "error: the argument '--staff' cannot be used with '--no-staff'"),
    (
        2,
        "user add new --avatar no-such-file.png",
        "wardroom: --avatar: cannot read no-such-file.png: No such file or directory (os error 2); give the path of a picture",
    ),
    (
        4,
        "user edit alex_thompson --avatar Cargo.toml",
        "wardroom: avatar: Upload a valid image. The file you uploaded was either not an image or a corrupted image.",
    ),
    (
        2,
        "user edit alex_thompson --avatar a.png --no-avatar",
        "error: the argument '--avatar <FILE>' cannot be used with '--no-avatar'",
    ),
    (4, "user add new --email zz", "wardroom: email: Enter a valid email address."),
    (
        2,
        "user add new --password",
        "wardroom: there is no terminal for entering the password: use --password-stdin",
    ),
    (
        2,
        "user list --limit 0",
        "error: invalid value '0' for '--limit <LIMIT>': use a whole number from 1 to 1000 For more information, try '--help'.",
    ),
    (
        2,
        "user list --limit 1001",
        "error: invalid value '1001' for '--limit <LIMIT>': use a whole number from 1 to 1000 For more information, try '--help'.",
    ),
    (2, "user list --all --limit 5", "error: the argument '--all' cannot be used with '--limit <LIMIT>'"),
    (
        2,
        "user list --ordering password",
        "error: invalid value 'password' for '--ordering <COLUMNS>': there is no column \"password\" here: use id, username, email, gender, last_login, created_at, updated_at For more information, try '--help'.",
    ),
    (
        2,
        "user list --ordering id;username",
        "error: invalid value 'id;username' for '--ordering <COLUMNS>': there is no column \"id;username\" here: use id, username, email, gender, last_login, created_at, updated_at For more information, try '--help'.",
    ),
    (
        2,
        "user list --created-from tomorrow",
        "error: invalid value 'tomorrow' for '--created-from <DAY>': use a day such as 2025-09-01, or `today` or `yesterday` (UTC) For more information, try '--help'.",
    ),
    (
        2,
        "user list --created-to 31.12.2025",
        "error: invalid value '31.12.2025' for '--created-to <DAY>': use a day such as 2025-09-01, or `today` or `yesterday` (UTC) For more information, try '--help'.",
    ),
    (
        2,
        "user list --id-min x",
        "error: invalid value 'x' for '--id-min <NUMBER>': use a whole number, such as 7 For more information, try '--help'.",
    ),
    (3, "user list --group none", "wardroom: there is no group named \"none\"; see `wardroom group list`"),
    (
        2,
        "user list --staff maybe",
        "error: unexpected argument 'maybe' found tip: write --staff or --no-staff, without a value",
    ),
    (
        2,
        "user list --gender divers",
        "error: invalid value 'divers' for '--gender <CHOICE>' [possible values: male, female, non-binary, other] For more information, try '--help'.",
    ),
    (
        2,
        "user list --search 'a b c d e f g h i j k l m n o p q'",
        "wardroom: --search: A search has at most 16 terms.",
    ),
    (
        2,
        "user list --offset -1",
        "error: invalid value '-1' for '--offset <NUMBER>': use a whole number from 0 on, such as 100 For more information, try '--help'.",
    ),
    (2, "user show", "error: the following required arguments were not provided: <USER>..."),
    (
        3,
        "user show nobody",
        "wardroom: there is no user named \"nobody\"; see `wardroom user list --search TERMS`",
    ),
    (3, "user show 4711", "wardroom: there is no user with id 4711; see `wardroom user list --search TERMS`"),
    (
        3,
        "user show id:4711",
        "wardroom: there is no user with id 4711; see `wardroom user list --search TERMS`",
    ),
    (2, "user edit", "error: the following required arguments were not provided: <USER>"),
    (
        2,
        "user edit 42",
        "wardroom: nothing to change for the user with id 42: see `wardroom user edit --help`",
    ),
    (
        3,
        "user edit nobody --staff",
        "wardroom: there is no user named \"nobody\"; see `wardroom user list --search TERMS`",
    ),
    (
        2,
        "user edit 42 --admin maybe",
        "error: unexpected argument 'maybe' found tip: write --admin or --no-admin, without a value",
    ),
    (
        4,
        "user edit 42 --username alex_thompson2!",
        "wardroom: username: Enter a valid username. This value may contain only letters, numbers, and @/./+/-/_ characters.",
    ),
    (2, "user grant staff", "error: the following required arguments were not provided: <PERMISSION>..."),
    (
        3,
        "user grant staff zz",
        "wardroom: there is no permission named \"zz\"; see `wardroom permission list`",
    ),
    (
        3,
        "user grant nobody user_read",
        "wardroom: there is no user named \"nobody\"; see `wardroom user list --search TERMS`",
    ),
    (
        3,
        "user revoke staff 9999",
        "wardroom: there is no permission with code 9999; see `wardroom permission list`",
    ),
    (
        4,
        "user disable admin",
        "wardroom: user 43 (admin): The last active admin cannot be removed, demoted or deactivated.",
    ),
    (
        3,
        "user set-password nobody --password-stdin",
        "wardroom: there is no user named \"nobody\"; see `wardroom user list --search TERMS`",
    ),
    (
        2,
        "user set-password staff",
        "wardroom: there is no terminal for entering the password: use --password-stdin",
    ),
    (
        2,
        "user set-password staff --password-stdin --sign-out --keep-signed-in",
        "error: the argument '--sign-out' cannot be used with '--keep-signed-in'",
    ),
    (2, "user unlock", "error: the following required arguments were not provided: <USER>..."),
    (2, "user invite", "error: the following required arguments were not provided: <USER>..."),
    (4, "user invite staff", "wardroom: invite: No one can be invited: this server sends no mail."),
    (
        3,
        "user invite nobody",
        "wardroom: there is no user named \"nobody\"; see `wardroom user list --search TERMS`",
    ),
    (3, "user uninvite staff", "wardroom: there is no pending invitation of staff"),
    (
        2,
        "user add new --invite",
        "error: the following required arguments were not provided: --email <ADDRESS>",
    ),
    (
        2,
        "user add new --invite --email new@example.com --password",
        "error: the argument '--invite' cannot be used with '--password'",
    ),
    (
        4,
        "user add new --invite --email new@example.com",
        "wardroom: invite: No one can be invited: this server sends no mail.",
    ),
    (
        3,
        "user unlock nobody",
        "wardroom: there is no user named \"nobody\"; see `wardroom user list --search TERMS`",
    ),
    (2, "user delete staff", "wardroom: there is no terminal for the confirmation: use --yes"),
    (
        3,
        "user delete nobody --yes",
        "wardroom: there is no user named \"nobody\"; see `wardroom user list --search TERMS`",
    ),
    (
        2,
        "user deleted --ordering email",
        "error: invalid value 'email' for '--ordering <COLUMNS>': there is no column \"email\" here: use id, username, deleted_at For more information, try '--help'.",
    ),
    (
        3,
        "user restore nobody",
        "wardroom: there is no deleted user named \"nobody\"; see `wardroom user deleted`",
    ),
    (
        3,
        "user purge 4711 --yes",
        "wardroom: there is no deleted user with id 4711; see `wardroom user deleted`",
    ),
    (4, "group add Billing", "wardroom: name: group with this name already exists."),
    (4, "group add ' '", "wardroom: name: This field may not be blank."),
    (
        3,
        "group add New --permission zz",
        "wardroom: there is no permission named \"zz\"; see `wardroom permission list`",
    ),
    (
        2,
        "group list --users-count-min many",
        "error: invalid value 'many' for '--users-count-min <NUMBER>': use a whole number, such as 7 For more information, try '--help'.",
    ),
    (3, "group show none", "wardroom: there is no group named \"none\"; see `wardroom group list`"),
    (
        2,
        "group edit Billing",
        "wardroom: nothing to change for the group named \"Billing\": give --name or --notes",
    ),
    (2, "group grant Billing", "error: the following required arguments were not provided: <PERMISSION>..."),
    (
        3,
        "group grant none user_read",
        "wardroom: there is no group named \"none\"; see `wardroom group list`",
    ),
    (2, "group delete Billing", "wardroom: there is no terminal for the confirmation: use --yes"),
    (3, "group delete none --yes", "wardroom: there is no group named \"none\"; see `wardroom group list`"),
    (
        2,
        "group deleted --ordering users_count",
        "error: invalid value 'users_count' for '--ordering <COLUMNS>': there is no column \"users_count\" here: use id, name, deleted_at For more information, try '--help'.",
    ),
    (2, "group restore", "error: the following required arguments were not provided: <GROUP>..."),
    (
        3,
        "group restore none",
        "wardroom: there is no deleted group named \"none\"; see `wardroom group deleted`",
    ),
    (2, "group purge none", "wardroom: there is no terminal for the confirmation: use --yes"),
    (
        3,
        "group purge 4711 --yes",
        "wardroom: there is no deleted group with id 4711; see `wardroom group deleted`",
    ),
    (2, "group add-member Billing", "error: the following required arguments were not provided: <USER>..."),
    (
        3,
        "group add-member none staff",
        "wardroom: there is no group named \"none\"; see `wardroom group list`",
    ),
    (2, "token issue staff", "error: the following required arguments were not provided: --name <NAME>"),
    (
        3,
        "token issue nobody --name x",
        "wardroom: there is no user named \"nobody\"; see `wardroom user list --search TERMS`",
    ),
    (
        2,
        "token issue staff --name x --scope 1222",
        "error: invalid value '1222' for '--scope <SCOPE>': \"1222\" is not a scope: write user_read. For more information, try '--help'.",
    ),
    (
        2,
        "token issue staff --name x --network 10.1.2.3/8",
        "error: invalid value '10.1.2.3/8' for '--network <NETWORK>': \"10.1.2.3/8\" has bits behind its prefix: write 10.0.0.0/8 for the network, or 10.1.2.3/32 for the address. For more information, try '--help'.",
    ),
    (
        4,
        "token issue staff --name x --scope 10001",
        "wardroom: scopes: \"10001\" is not a scope: no permission has this code.",
    ),
    (
        2,
        "token edit 1",
        "wardroom: there is nothing to change: give --name, --expires-in or --no-expiry, --scope or --all-scopes, --read-only or --read-write, --network or --any-network",
    ),
    (3, "token edit 4711 --read-only", "wardroom: there is no token with id 4711; see `wardroom token list`"),
    (3, "token show 4711", "wardroom: there is no token with id 4711; see `wardroom token list`"),
    (
        2,
        "token edit 1 --read-only --read-write",
        "error: the argument '--read-only' cannot be used with '--read-write'",
    ),
    (4, "token issue staff --name ''", "wardroom: name: This field may not be blank."),
    (
        2,
        "token issue staff --name x --expires-in soon",
        "error: invalid value 'soon' for '--expires-in <DURATION>': use a number and a unit, such as 12h, 90d or 1y For more information, try '--help'.",
    ),
    (
        2,
        "token issue staff --name x --expires-in 0s",
        "error: invalid value '0s' for '--expires-in <DURATION>': the lifetime of a token cannot be zero For more information, try '--help'.",
    ),
    (
        3,
        "token list nobody",
        "wardroom: there is no user named \"nobody\"; see `wardroom user list --search TERMS`",
    ),
    (
        2,
        "token list --state gone",
        "error: invalid value 'gone' for '--state <CHOICE>' [possible values: active, expired, revoked] For more information, try '--help'.",
    ),
    (
        2,
        "token list --key f4e75eab6e0f663a972d145478d6fc4b81762070",
        "wardroom: --key: Give both ends of the key as lists and logs show them, such as wrd_h3Kd...Yc0q, not the whole key.",
    ),
    (
        2,
        "token list --ordering name",
        "error: invalid value 'name' for '--ordering <COLUMNS>': there is no column \"name\" here: use id, created_at, expires_at, last_used_at For more information, try '--help'.",
    ),
    (
        2,
        "token rotate x",
        "error: invalid value 'x' for '<ID>': A valid integer is required. For more information, try '--help'.",
    ),
    (3, "token rotate 4711", "wardroom: there is no token with id 4711; see `wardroom token list`"),
    (
        2,
        "token rotate 1 --overlap 31d",
        "error: invalid value '31d' for '--overlap <DURATION>': an old key stays valid for at most 30d For more information, try '--help'.",
    ),
    (
        2,
        "token list --has-expiry --no-expiry",
        "error: the argument '--has-expiry' cannot be used with '--no-expiry'",
    ),
    (
        2,
        "token list --unused-since soon",
        "error: invalid value 'soon' for '--unused-since <DAY>': use a day such as 2025-09-01, or `today` or `yesterday` (UTC) For more information, try '--help'.",
    ),
    (
        2,
        "token list --search ann",
        "error: unexpected argument '--search' found tip: to pass '--search' as a value, use '-- --search'",
    ),
    (
        2,
        "token find",
        "error: the following required arguments were not provided: <--key-stdin|--key-file <FILE>|--prefix <TEXT>>",
    ),
    (2, "token find wrd_h3Kd", "error: unexpected argument 'wrd_h3Kd' found"),
    (
        2,
        "token find --key wrd_h3Kd",
        "error: unexpected argument '--key' found tip: a similar argument exists: '--key-file'",
    ),
    (
        2,
        "token find --key-stdin",
        "wardroom: standard input is empty: its first line must be the key of a token",
    ),
    (
        2,
        "token find --key-file /nonexistent",
        "wardroom: /nonexistent cannot be read: No such file or directory (os error 2): a directory of the path, or the file, does not exist: check the spelling, and that its disk is mounted",
    ),
    (
        2,
        "token find --prefix wrd_h3Kd",
        "error: the following required arguments were not provided: --last <TEXT>",
    ),
    (
        2,
        "token find --prefix wrd_h3Kdxxxxxxxx --last Yc0q",
        "wardroom: --key: Give both ends of the key as lists and logs show them, such as wrd_h3Kd...Yc0q, not the whole key.",
    ),
    (3, "token find --prefix wrd_h3Kd --last Yc0q", "wardroom: there is no token whose key has these ends"),
    (
        2,
        "token revoke 1 --all-of staff",
        "error: the argument '[ID]...' cannot be used with '--all-of <USER>'",
    ),
    (
        3,
        "token revoke --all-of nobody",
        "wardroom: there is no user named \"nobody\"; see `wardroom user list --search TERMS`",
    ),
    (2, "token revoke", "error: the following required arguments were not provided: <ID>..."),
    (
        2,
        "token revoke 1 --leaked keys.txt",
        "error: the argument '[ID]...' cannot be used with '--leaked <FILE>'",
    ),
    (
        2,
        "token revoke --leaked /nonexistent",
        "wardroom: /nonexistent cannot be read: No such file or directory (os error 2): a directory of the path, or the file, does not exist: check the spelling, and that its disk is mounted",
    ),
    (2, "token revoke --leaked -", "wardroom: there is no key in standard input: write one key on each line"),
    (
        2,
        "token revoke 0",
        "error: invalid value '0' for '[ID]...': Ensure this value is greater than or equal to 1. For more information, try '--help'.",
    ),
    (
        3,
        "token revoke 4711 4712",
        "wardroom: there is no token with id 4711; see `wardroom token list`; there is no token with id 4712; see `wardroom token list`",
    ),
    (2, "permission add", "error: the following required arguments were not provided: <NAME>"),
    (
        4,
        "permission add 'Order Read'",
        "wardroom: name: Enter a valid name: lower-case letters, digits and underscores, with a letter first, such as order_read.",
    ),
    (4, "permission add user_read", "wardroom: name: permission with this name already exists."),
    (4, "permission add order_read --code 1222", "wardroom: code: 1222 is reserved: use 10000 to 999999."),
    (
        4,
        "permission rename user_read people_read",
        "wardroom: permission: user_read (1222) is built in: it cannot be renamed or removed.",
    ),
    (
        3,
        "permission rename nothing order_read",
        "wardroom: there is no permission named \"nothing\"; see `wardroom permission list`",
    ),
    (2, "permission remove user_read", "wardroom: there is no terminal for the confirmation: use --yes"),
    (
        4,
        "permission remove 1222 --yes",
        "wardroom: permission: user_read (1222) is built in: it cannot be renamed or removed.",
    ),
    (
        2,
        "audit list --action user.updat",
        "error: invalid value 'user.updat' for '--action <ACTION>': use user.create, user.delete, user.purge, user.restore, user.set_password, user.set_password.refused, user.unlock, user.update For more information, try '--help'.",
    ),
    (
        2,
        "audit list --action login",
        "error: invalid value 'login' for '--action <ACTION>': see `wardroom audit actions` For more information, try '--help'.",
    ),
    (
        3,
        "audit list --actor nobody",
        "wardroom: no event names the actor \"nobody\"; see `wardroom user list --search TERMS`",
    ),
    (
        3,
        "audit list --object nothing",
        "wardroom: no event names the object \"nothing\"; see `wardroom user list --search TERMS`",
    ),
    (
        2,
        "audit list --object-kind person",
        "error: invalid value 'person' for '--object-kind <KIND>' [possible values: user, group, permission, token, directory] tip: a similar value exists: 'permission' For more information, try '--help'.",
    ),
    (
        2,
        "audit list --on 2025-13-01",
        "error: invalid value '2025-13-01' for '--on <DAY>': use a day such as 2025-09-01, or `today` or `yesterday` (UTC) For more information, try '--help'.",
    ),
    (
        2,
        "audit list --on yesterday --from today",
        "error: the argument '--on <DAY>' cannot be used with '--from <TIME>'",
    ),
    (
        2,
        "audit list --from noon",
        "error: invalid value 'noon' for '--from <TIME>': use a day such as 2025-09-01, `today`, `yesterday`, or a time such as 2025-09-01T12:00:00Z For more information, try '--help'.",
    ),
    (
        2,
        "audit list --from 2025-09-02 --to 2025-09-01",
        "wardroom: no event can match: --from is not before the end of --to",
    ),
    (2, "audit list --all --limit 5", "error: the argument '--all' cannot be used with '--limit <LIMIT>'"),
    (
        2,
        "audit export --after x",
        "error: invalid value 'x' for '--after <ID>': use a whole number, such as 7 For more information, try '--help'.",
    ),
    (
        2,
        "audit verify --expect-head 00",
        "error: invalid value '00' for '--expect-head <HEX>': a head has 64 hexadecimal digits For more information, try '--help'.",
    ),
];

#[test]
fn the_tables_are_long_and_repeat_nothing() {
    let lines: std::collections::BTreeSet<_> =
        NOUNS.iter().chain(operation::OPERATION).map(|(_, line, _)| line).collect();
    assert_eq!(lines.len(), NOUNS.len() + operation::OPERATION.len());
    assert!(lines.len() >= 150, "{}", lines.len());
}

both! {
    async fn each_misuse_has_its_message_and_changes_nothing(backend: Backend) {
        let site = Site::start(backend).await;
        let events = site.database.number("SELECT count(*) FROM audit_events").await;
        let mut wrong = Vec::new();
        for (code, line, message) in NOUNS.iter().chain(operation::OPERATION) {
            let args = arguments(line);
            let ran = on(&site.database, &args.iter().map(String::as_str).collect::<Vec<_>>(), "");
            // The summary of the usage is the same for every error of a command.
            let text = ran.err.split("\n\nUsage:").next().unwrap();
            let text: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
            let text = text.join(" ");
            if (ran.code, text.as_str(), ran.out.as_str()) != (*code, *message, "") {
                wrong.push(format!("({}, {line:?}, {text:?}),{}", ran.code, ran.out));
            }
        }
        assert!(wrong.is_empty(), "these rows are what happens:\n{}", wrong.join("\n"));
        assert_eq!(site.database.number("SELECT count(*) FROM audit_events").await, events);
    }
}
