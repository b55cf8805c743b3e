//! `GET /api/users/groups`: filters, search, order and pages. `api_users_list` tests what all lists have in common.

use serde_json::json;
use wardroom::directory::model::Group;
use wardroom::directory::transfer::seed::{SeedRows, SeedUser};

use crate::support::site::{imported, imported_group, moment, operator};
use crate::support::{Answer, Backend, Site, both};

async fn list(site: &Site, query: &str) -> Answer {
    site.get(&format!("/api/users/groups?{query}")).token(&site.holder.key).send().await
}

fn ids(answer: &Answer) -> Vec<i64> {
    assert_eq!(answer.status, 200, "{answer}");
    answer.json()["results"].as_array().unwrap().iter().map(|row| row["id"].as_i64().unwrap()).collect()
}

/// The groups of the example user, and groups from id 20 on with 0, 2, 1 and 2 members.
async fn grouped(backend: Backend) -> Site {
    let site = Site::start(backend).await;
    let group =
        |id: i64, name: &str, notes: &str| Group { notes: Some(notes.into()), ..imported_group(id, name) };
    let groups = vec![
        Group { created_at: moment("2020-02-29T12:00:00Z"), ..group(20, "Zürich", "Straße") },
        group(21, "alpha", "100%"),
        Group { updated_at: moment("2021-01-01T00:00:00Z"), ..group(22, "ALPHA", "") },
        group(23, "Ωmega", "alpha and omega"),
    ];
    let members = [(200, &[21, 23][..]), (201, &[21, 22, 23])];
    let users = members.map(|(id, groups)| {
        let mut user = imported(id, &format!("member{id}"));
        user.groups = groups.iter().map(|id| (*id).try_into().unwrap()).collect();
        SeedUser { user, password: "!".into() }
    });
    let records = SeedRows { groups, users: users.into(), ..SeedRows::default() };
    site.directory().seed(&operator(), records).await.unwrap();
    site
}

both! {
    async fn each_filter_and_search_keeps_what_it_names(backend: Backend) {
        let site = grouped(backend).await;
        for (query, expected) in [
            ("", &[20, 21, 22, 23][..]),
            ("id_min=22", &[22, 23]),
            ("id_max=20", &[20]),
            ("users_count_min=1", &[21, 22, 23]),
            ("users_count_min=2", &[21, 23]),
            ("users_count_max=1", &[20, 22]),
            ("users_count_min=1&users_count_max=1", &[22]),
            ("created_date=2020-02-29", &[20]),
            ("created_from=2020-03-01", &[21, 22, 23]),
            ("created_to=2020-02-29", &[20]),
            ("updated_date=2021-01-01", &[22]),
            ("updated_from=2021-01-02", &[20, 21, 23]),
            ("updated_to=2021-01-01", &[22]),
            ("search=Alpha", &[21, 22, 23]),
            ("search=z%C3%9CRICH,strasse", &[20]),
            ("search=%CF%89M", &[23]),
            ("search=%25", &[21]),
            ("search=20", &[]),
        ] {
            let floor = if query.contains("id_min") { "" } else { "&id_min=20" };
            let answer = list(&site, &format!("{query}{floor}")).await;
            assert_eq!(ids(&answer), expected, "{query}");
            assert_eq!(answer.json()["count"], expected.len(), "{query}");
            // The spellings of version 0.1 mean the same, and an empty value is no filter.
            let old = query.replace("_from=", "_date_from=").replace("_to=", "_date_to=");
            let empty = if query.contains("users_count_max") { "" } else { "&users_count_max=" };
            assert_eq!(ids(&list(&site, &format!("{old}{floor}{empty}")).await), expected, "{old}");
        }
    }
}

both! {
    async fn every_order_is_walked_forth_and_back(backend: Backend) {
        let site = grouped(backend).await;
        for (ordering, expected) in [
            ("", [20, 21, 22, 23]),
            ("-id", [23, 22, 21, 20]),
            ("name", [21, 22, 20, 23]),
            ("-name", [23, 20, 22, 21]),
            ("users_count", [20, 22, 21, 23]),
            ("-users_count", [23, 21, 22, 20]),
            ("_users_count", [20, 22, 21, 23]),
            ("-_users_count", [23, 21, 22, 20]),
            ("-_users_count,users_count,name", [21, 23, 22, 20]),
            ("-users_count,name", [21, 23, 22, 20]),
            ("created_at", [20, 21, 22, 23]),
            ("-updated_at", [23, 21, 20, 22]),
        ] {
            let query = format!("id_min=20&ordering={ordering}");
            assert_eq!(ids(&list(&site, &query).await), expected, "{ordering}");
            let mut seen = Vec::new();
            let mut answer = list(&site, &format!("{query}&limit=1&cursor=")).await;
            loop {
                seen.extend(ids(&answer));
                let Some(next) = answer.json()["next"].as_str().map(str::to_owned) else { break };
                let path = next.strip_prefix("http://localhost").unwrap().to_owned();
                answer = site.get(&path).token(&site.holder.key).send().await;
            }
            assert_eq!(seen, expected, "{ordering}");
        }
    }
}

both! {
    async fn the_answer_and_the_refusals(backend: Backend) {
        let site = grouped(backend).await;
        let answer = list(&site, "limit=1&offset=4&ordering=id").await;
        assert_eq!(answer.json(), json!({
            "count": 7,
            "next": "http://localhost/api/users/groups?limit=1&offset=5&ordering=id",
            "previous": "http://localhost/api/users/groups?limit=1&offset=3&ordering=id",
            "results": [{
                "id": 21, "name": "alpha", "notes": "100%", "users_count": 2,
                "created_at": "2024-03-15T09:30:00.000000Z", "updated_at": "2024-03-15T09:30:00.000000Z",
            }],
        }));
        assert_eq!(list(&site, "fields=users_count&id_min=23").await.json()["results"], json!([{"users_count": 2}]));
        for (query, body) in [
            ("is_staff=1", json!({"is_staff": ["Unknown parameter."]})),
            ("last_login_date=2020-01-01", json!({"last_login_date": ["Unknown parameter."]})),
            ("ordering=notes", json!({"ordering": ["\"notes\" is not a valid choice."]})),
            ("users_count_min=x", json!({"users_count_min": ["A valid integer is required."]})),
            ("created_from=&created_date_from=", json!({"created_date_from": ["This parameter may be given only once."]})),
            ("fields=username", json!({"fields": ["\"username\" is not a valid choice."]})),
        ] {
            assert_eq!(list(&site, query).await.to_string(), format!("400 {body}"), "{query}");
        }
        // A cursor of one list is not valid for another.
        let users = site.get("/api/users?limit=1&cursor=").token(&site.holder.key).send().await.json();
        let cursor = users["next"].as_str().unwrap().split("cursor=").nth(1).unwrap().split('&').next().unwrap().to_owned();
        assert_eq!(list(&site, &format!("cursor={cursor}")).await.status, 400);
    }
}
