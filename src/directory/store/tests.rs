//! Tests of statements that PostgreSQL runs by one plan, whatever the values are. Such a plan must suit all of them.

use super::testing::on_both;
use super::{Dialect, Sql, Store, activity, bitmap_rows, changes, groups, token_list, user_list, users};
use crate::database::testing::ONE_PLAN;
use crate::database::{Tx, Value};
use crate::directory::Error;
use crate::directory::model::{ActivitySpan, GroupId, Timestamp, TokenState, UserId};
use crate::directory::query::{TokenFilters, TokenQuery, UserFilters, UserQuery};

/// As many rows as make a plan look cheap that reads all of them.
const USERS: &str = "INSERT INTO users (username, username_key, email_key, first_name, last_name, password, is_active, is_staff, is_admin, \
       created_at, updated_at, search_key, last_seen_at) \
     SELECT 'user' || i, 'user' || i, '', '', '', '!', TRUE, FALSE, FALSE, 1, 1, '', i FROM generate_series(1, 20000) i; \
     INSERT INTO activity (span, starts_at, kind, count) \
     SELECT span, i * 1000, kind, 1 FROM generate_series(1, 2000) i, unnest(ARRAY['hour', 'day']) span, unnest(ARRAY['a', 'b']) kind; \
     ANALYZE users; ANALYZE activity; ANALYZE identity_changes; \
     SET enable_seqscan = off; SET min_parallel_table_scan_size = 0; SET parallel_setup_cost = 10";

/// Houses that differ in their tokens: the kind, the time of creation and the end of each.
const HOUSES: [(&str, &str); 3] = [
    (
        "most are of sign-ins, and all end",
        "CASE WHEN id % 10 = 0 THEN 'api' ELSE 'sign_in' END, id, id FROM users",
    ),
    ("all are imported, and none ends", "'imported', 0, NULL FROM users"),
    ("there are none", "'api', 0, NULL FROM users WHERE FALSE"),
];

fn token_page(filters: TokenFilters) -> Sql {
    let page = token_list::page(&TokenQuery::by_id(filters, Some(7), 100), Timestamp::EPOCH);
    assert!(page.has_one_plan(), "{}", page.text());
    page
}

/// The statements, each with the index along which it reads.
fn statements() -> Vec<(&'static str, Sql)> {
    let user = UserId::try_from(7).ok();
    let users_page = |after| {
        let query = UserQuery::by_id(UserFilters::default(), after, 100);
        user_list::page_by(Dialect::Postgres, &query, Timestamp::EPOCH, &user_list::Reading::Planned)
    };
    let noted = || token_list::of_note((Timestamp::EPOCH, Timestamp::LAST), Timestamp::LAST, None);
    let of_one = TokenFilters { user, state: Some(TokenState::Active), ..TokenFilters::default() };
    vec![
        ("identity_changes_pkey", bitmap_rows::changes_since(Dialect::Postgres, 1)),
        ("identity_changes_pkey", changes::since(1, 1000)),
        ("groups_pkey", groups::names(Dialect::Postgres, &[1, 2].map(|id| GroupId::try_from(id).unwrap()))),
        ("users_pkey", users_page(None)),
        ("users_pkey", users_page(Some(7))),
        ("users_by_last_seen_at", users::seen_since(Timestamp::EPOCH)),
        ("tokens_pkey", token_page(TokenFilters::default())),
        ("tokens_pkey", token_page(TokenFilters { not_of: user, ..TokenFilters::default() })),
        ("tokens_by_user", token_page(of_one)),
        ("tokens_lasting_by_end", noted()),
        ("tokens_never_used", noted()),
        ("activity_unique", activity::since(ActivitySpan::Hour, 1)),
    ]
}

/// A value as it stands in a statement.
fn literal(value: &Value) -> String {
    match value {
        Value::Null => "NULL".into(),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Text(text) => format!("'{text}'"),
        Value::Bytes(_) => panic!("no statement has bytes"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_plan_reads_no_more_than_its_rows_whatever_the_values_are() {
    for (house, tokens) in HOUSES {
        on_both(async |settings| {
            let store = Store::open(&settings).await.unwrap();
            if store.dialect() == Dialect::Sqlite {
                return;
            }
            for (index, plan) in store.write_alone(move |tx| plans(tx, tokens)).await.unwrap() {
                assert!(plan.contains(index), "{house}: {index}\n{plan}");
                for more in ["Seq Scan", "Hash", "Merge", "Gather", "Bitmap", "Sort"] {
                    assert!(!plan.contains(more), "{house}\n{plan}");
                }
            }
        })
        .await;
    }
}

/// Fills a database and returns how it runs each statement.
fn plans(tx: &Tx<'_>, tokens: &str) -> Result<Vec<(&'static str, String)>, Error> {
    tx.link().batch(USERS)?;
    tx.link().batch(&format!(
        "INSERT INTO tokens (user_id, name, digest, prefix, last_four, kind, created_at, expires_at) \
         SELECT id, 'a', decode(lpad(to_hex(id), 64, '0'), 'hex'), 'wrd_', 'abcd', {tokens}; \
         ANALYZE tokens"
    ))?;
    tx.link().batch(ONE_PLAN)?;
    let mut plans = Vec::new();
    for (number, (index, sql)) in statements().into_iter().enumerate() {
        tx.link().batch(&format!("PREPARE look{number} AS {}", sql.text()))?;
        let values: Vec<_> = sql.args().iter().map(literal).collect();
        let values = if values.is_empty() { String::new() } else { format!("({})", values.join(", ")) };
        let explain = format!("EXPLAIN EXECUTE look{number}{values}");
        plans.push((index, tx.all::<String>(&Sql::new(explain.leak()))?.join("\n")));
    }
    Ok(plans)
}

/// The pages that are too many to be kept, or that may read far beyond their rows.
#[test]
fn other_pages_are_planned_for_their_values() {
    let is_kept =
        |filters| token_list::page(&TokenQuery::by_id(filters, None, 100), Timestamp::EPOCH).has_one_plan();
    assert!(!is_kept(TokenFilters { state: Some(TokenState::Revoked), ..TokenFilters::default() }));
    assert!(!is_kept(TokenFilters { is_used: Some(true), ..TokenFilters::default() }));
}
