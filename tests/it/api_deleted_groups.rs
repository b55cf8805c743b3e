//! Groups in the recycle bin: `/api/users/groups/deleted`, and what becomes of rights and members meanwhile.

use std::time::Duration;

use serde_json::{Value, json};
use wardroom::directory::model::{GroupKey, PermissionKey, UserKey};

use crate::support::site::{operator, person};
use crate::support::{Answer, Backend, Request, Site, both};

async fn send(site: &Site, key: &str, method: &str, path: &str, body: &str) -> Answer {
    let request = site.request(method, path).token(key);
    if body.is_empty() { request.send().await } else { request.body("application/json", body).send().await }
}

async fn rows(site: &Site, path: &str) -> Vec<Value> {
    let list = send(site, &site.admin.key, "GET", path, "").await;
    list.json()["results"].as_array().unwrap_or_else(|| panic!("{list}")).clone()
}

async fn ids(site: &Site, path: &str) -> Vec<i64> {
    rows(site, path).await.iter().map(|row| row["id"].as_i64().unwrap()).collect()
}

/// What the own record of a user shows of their groups and rights.
async fn own(site: &Site, key: &str) -> (Value, Value) {
    let me = send(site, key, "GET", "/api/users/me?fields=groups,permissions", "").await.json();
    (me["groups"].clone(), me["permissions"].clone())
}

/// Creates a group with these permissions and members, and deletes it.
async fn binned(site: &Site, name: &str, permissions: &[i64], members: &[i64]) -> i64 {
    let body = json!({ "name": name, "permissions": permissions }).to_string();
    let id =
        send(site, &site.admin.key, "POST", "/api/users/groups", &body).await.json()["id"].as_i64().unwrap();
    let body = json!({ "users": members }).to_string();
    send(site, &site.admin.key, "POST", &format!("/api/users/groups/{id}/members"), &body).await;
    assert_eq!(
        send(site, &site.admin.key, "DELETE", &format!("/api/users/groups/{id}"), "").await.status,
        204
    );
    id
}

fn group(id: i64) -> GroupKey {
    GroupKey::Id(id.try_into().unwrap())
}

fn user(id: i64) -> UserKey {
    UserKey::Id(id.try_into().unwrap())
}

both! {
    /// The rights end with the deletion and come back with the restore: on this server and on a replica, at once.
    async fn a_deleted_group_gives_nothing_and_comes_back_whole(backend: Backend) {
        let site = Site::start(backend).await;
        let (admin, alex) = (&site.admin.key, &site.alex.key);
        let replica = site.replica().await;
        let there = async || {
            let me = Request::new(replica, "GET", "/api/users/me?fields=groups,permissions").token(alex).send().await.json();
            (me["groups"].clone(), me["permissions"].clone())
        };
        send(&site, admin, "PATCH", "/api/users/groups/3", r#"{"permissions": [6, 10], "notes": "Pays"}"#).await;
        let whole = (json!([1, 3, 7]), json!([1222, 1232]));
        assert_eq!((own(&site, alex).await, there().await), (whole.clone(), whole.clone()));
        assert_eq!(send(&site, alex, "GET", "/api/users", "").await.status, 200);
        let before = send(&site, admin, "GET", "/api/users/groups/3", "").await.json();
        assert_eq!(send(&site, admin, "DELETE", "/api/users/groups/3", "").await.status, 204);
        let rest = (json!([1, 7]), json!([]));
        assert_eq!((own(&site, alex).await, there().await), (rest.clone(), rest));
        assert_eq!(send(&site, alex, "GET", "/api/users", "").await.status, 403);
        assert_eq!(send(&site, admin, "GET", "/api/users/groups/3", "").await.status, 404);
        assert_eq!(ids(&site, "/api/users/groups").await, [1, 7]);
        assert_eq!(rows(&site, "/api/users/groups/deleted").await, [json!({
            "id": 3, "name": "Billing", "users_count": 1, "deleted_at": "2025-09-01T12:00:00.000000Z",
            "deleted_by": "admin", "purge_at": "2025-10-01T12:00:00.000000Z",
        })]);
        let back = send(&site, admin, "POST", "/api/users/groups/deleted/3/restore", "").await;
        assert_eq!((back.status, back.header("etag").is_some(), &back.json()["users_count"]), (200, true, &json!(1)), "{back}");
        assert_eq!((own(&site, alex).await, there().await), (whole.clone(), whole));
        assert_eq!(send(&site, alex, "GET", "/api/users", "").await.status, 200);
        let mut after = send(&site, admin, "GET", "/api/users/groups/3", "").await.json();
        after["updated_at"] = before["updated_at"].clone();
        assert_eq!(after, before);
        assert_eq!(ids(&site, "/api/users/groups/deleted").await, [0; 0]);
        assert_eq!(send(&site, admin, "POST", "/api/users/groups/deleted/3/restore", "").await.status, 404);
        let events = rows(&site, "/api/users/audit?object_kind=group&object_id=3&limit=2").await;
        let shown: Vec<_> = events.iter().map(|event| (&event["action"], &event["changes"])).collect();
        let fields = json!({ "name": "Billing", "notes": "Pays", "permissions": [1222, 1232] });
        let mut restored = fields.clone();
        restored["users_count"] = json!(1);
        assert_eq!(shown, [(&json!("group.restore"), &restored), (&json!("group.delete"), &fields)]);
        assert_eq!(site.directory().verify_audit(&operator(), None).await.unwrap().broken, None);
    }
}

both! {
    /// As the names of deleted users: reserved, but admins may take them. A restore that collides changes nothing.
    async fn names_stay_reserved_and_collisions_are_reported(backend: Backend) {
        let site = Site::start(backend).await;
        let (admin, holder) = (&site.admin.key, &site.holder.key);
        send(&site, admin, "DELETE", "/api/users/groups/3", "").await;
        let taken = r#"400 {"name":["group with this name already exists."]}"#;
        assert_eq!(send(&site, holder, "POST", "/api/users/groups", r#"{"name": "Billing"}"#).await.to_string(), taken);
        assert_eq!(send(&site, holder, "PATCH", "/api/users/groups/1", r#"{"name": "Billing"}"#).await.to_string(), taken);
        let made = send(&site, admin, "POST", "/api/users/groups", r#"{"name": "Billing"}"#).await.json()["id"].as_i64().unwrap();
        assert!(made > 7, "an id is never used again");
        for (key, expected) in [(admin, taken), (holder, taken)] {
            assert_eq!(send(&site, key, "POST", "/api/users/groups/deleted/3/restore", "").await.to_string(), expected);
        }
        assert_eq!((ids(&site, "/api/users/groups/deleted").await, ids(&site, "/api/users/groups").await), (vec![3], vec![1, 7, made]));
        let taken = "SELECT count(*) FROM audit_events WHERE action = 'value.taken'";
        assert_eq!(site.database.number(taken).await, 4, "each answer is counted");
        send(&site, admin, "PATCH", &format!("/api/users/groups/{made}"), r#"{"name": "Bills"}"#).await;
        assert_eq!(send(&site, holder, "POST", "/api/users/groups/deleted/3/restore", "").await.status, 200);
        // The highest id of all stays used when its group is in the bin, and when it is purged.
        for path in ["/api/users/groups/", "/api/users/groups/deleted/"] {
            assert_eq!(send(&site, admin, "DELETE", &format!("{path}{made}"), "").await.status, 204);
            let next = send(&site, admin, "POST", "/api/users/groups", &json!({ "name": path }).to_string()).await.json();
            assert!(next["id"].as_i64().unwrap() > made, "{next}");
            if path.ends_with("groups/") {
                send(&site, admin, "DELETE", &format!("/api/users/groups/{}", next["id"]), "").await;
            }
        }
    }
}

both! {
    /// A restore gives the rights of the group to its members again. It is refused to a caller who could not create such a group
    /// with such members: without a right of it, without the right to change members, with an admin among them, or oneself.
    async fn a_restore_gives_no_one_what_the_caller_could_not_give(backend: Backend) {
        let site = Site::start(backend).await;
        let staff = async |name: &str, permissions: &[i64]| {
            person(site.directory(), name, |draft| {
                draft.is_staff = Some(true);
                draft.permissions = Some(permissions.to_vec());
            })
            .await
        };
        // 4 is 1204, to delete groups; 3 is 1203, to change members; 6 is 1222, to read users.
        let (bare, members, both) = (staff("bare", &[4]).await, staff("members", &[4, 3]).await, staff("both", &[4, 3, 6]).await);
        let reader = staff("reader", &[2, 6]).await;
        let empty = binned(&site, "empty", &[], &[]).await;
        let plain = binned(&site, "plain", &[], &[site.plain.id]).await;
        let strong = binned(&site, "strong", &[6], &[site.plain.id, site.staff.id]).await;
        let strong_empty = binned(&site, "strong empty", &[6], &[]).await;
        let admins = binned(&site, "admins", &[], &[site.plain.id, site.admin.id]).await;
        let mine = binned(&site, "mine", &[], &[both.id]).await;
        let all = [empty, plain, strong, strong_empty, admins, mine];
        let state = "SELECT 'g' || id FROM groups UNION ALL SELECT 'd' || id FROM deleted_groups \
                     UNION ALL SELECT 'm' || group_id || ' ' || user_id FROM deleted_memberships ORDER BY 1";
        let before = site.database.texts(state).await;
        let mut refused = 0;
        for (who, may) in [(&reader, &[][..]), (&bare, &[empty]), (&members, &[empty, plain, mine]), (&both, &[empty, plain, strong, strong_empty])] {
            for id in all.iter().filter(|id| !may.contains(id)) {
                let answer = send(&site, &who.key, "POST", &format!("/api/users/groups/deleted/{id}/restore"), "").await;
                assert_eq!(answer.status, 403, "{id}: {answer}");
                refused += 1;
            }
            // A purge gives no rights, so it needs no right to change members. Otherwise it is a deletion.
            let lasting: Vec<_> = [strong, strong_empty, admins].into_iter().chain((who.id == both.id).then_some(mine)).collect();
            for id in all.iter().filter(|id| !may.contains(id) && (who.id == reader.id || lasting.contains(id))) {
                assert_eq!(send(&site, &who.key, "DELETE", &format!("/api/users/groups/deleted/{id}"), "").await.status, 403, "{id}");
            }
        }
        assert_eq!((refused, site.database.texts(state).await), (6 + 5 + 3 + 2, before));
        assert_eq!(own(&site, &site.staff.key).await.1, json!([]));
        for (who, id) in [(&bare, empty), (&members, plain), (&both, strong), (&both, strong_empty)] {
            let answer = send(&site, &who.key, "POST", &format!("/api/users/groups/deleted/{id}/restore"), "").await;
            assert_eq!(answer.status, 200, "{answer}");
            assert_eq!(answer.json(), json!({ "id": id }), "without the right to read groups, only the id is shown");
        }
        assert_eq!(own(&site, &site.staff.key).await, (json!([strong]), json!([1222])));
        for id in [admins, mine] {
            assert_eq!(send(&site, &site.admin.key, "POST", &format!("/api/users/groups/deleted/{id}/restore"), "").await.status, 200);
        }
        // A scope of rights that ended in the meantime: the rights of the transaction count.
        send(&site, &site.admin.key, "DELETE", &format!("/api/users/groups/{strong}"), "").await;
        send(&site, &site.admin.key, "PATCH", &format!("/api/users/{}", both.id), r#"{"permissions": [4, 3]}"#).await;
        assert_eq!(send(&site, &both.key, "POST", &format!("/api/users/groups/deleted/{strong}/restore"), "").await.status, 403);
    }
}

both! {
    /// A member and a group that were both deleted find each other, in whichever order that was and they are restored.
    async fn members_and_groups_find_each_other_again(backend: Backend) {
        let site = Site::start(backend).await;
        let admin = &site.admin.key;
        let (user_path, group_path) = ("/api/users/42", "/api/users/groups/3");
        let (user_back, group_back) = ("/api/users/deleted/42/restore", "/api/users/groups/deleted/3/restore");
        for deletions in [[user_path, group_path], [group_path, user_path]] {
            for restores in [[user_back, group_back], [group_back, user_back]] {
                for path in deletions {
                    assert_eq!(send(&site, admin, "DELETE", path, "").await.status, 204);
                }
                for path in restores {
                    assert_eq!(send(&site, admin, "POST", path, "").await.status, 200);
                }
                let context = format!("{deletions:?} {restores:?}");
                assert_eq!(send(&site, admin, "GET", user_path, "").await.json()["groups"], json!([1, 3, 7]), "{context}");
                assert_eq!(send(&site, admin, "GET", group_path, "").await.json()["users_count"], 1, "{context}");
                assert_eq!(site.database.number("SELECT count(*) FROM deleted_memberships").await, 0, "{context}");
            }
        }
        // A user who left the group before it was deleted does not come back with it.
        send(&site, admin, "DELETE", "/api/users/groups/3/members", r#"{"users": [42]}"#).await;
        send(&site, admin, "DELETE", group_path, "").await;
        send(&site, admin, "POST", group_back, "").await;
        assert_eq!(send(&site, admin, "GET", user_path, "").await.json()["groups"], json!([1, 7]));
        // Members who are purged meanwhile are gone from the list: no one who gets their id is a member.
        send(&site, admin, "POST", "/api/users/groups/3/members", &json!({ "users": [42, site.staff.id] }).to_string()).await;
        send(&site, admin, "DELETE", group_path, "").await;
        send(&site, admin, "DELETE", user_path, "").await;
        assert_eq!(rows(&site, "/api/users/groups/deleted").await[0]["users_count"], 2);
        assert_eq!(send(&site, admin, "DELETE", "/api/users/deleted/42", "").await.status, 204);
        assert_eq!(rows(&site, "/api/users/groups/deleted").await[0]["users_count"], 1);
        assert_eq!(send(&site, admin, "POST", group_back, "").await.json()["users_count"], 1);
        assert_eq!(own(&site, &site.staff.key).await.0, json!([3]));
    }
}

both! {
    /// A restored user needs the rights of a group that came back first; a restored group those of its own.
    async fn the_second_restore_needs_the_rights_too(backend: Backend) {
        let site = Site::start(backend).await;
        let weak = person(site.directory(), "weak", |draft| { draft.is_staff = Some(true); draft.permissions = Some(vec![3, 4, 8]); }).await;
        let id = binned(&site, "strong", &[6], &[site.staff.id]).await;
        site.directory().delete_user(&operator(), &user(site.staff.id)).await.unwrap();
        site.directory().restore_group(&operator(), id.try_into().unwrap()).await.unwrap();
        let path = format!("/api/users/deleted/{}/restore", site.staff.id);
        assert_eq!(send(&site, &weak.key, "POST", &path, "").await.status, 403);
        // While the group is in the bin, the user can come back: that gives no right. Then the group cannot.
        site.directory().delete_group(&operator(), &group(id)).await.unwrap();
        assert_eq!(send(&site, &weak.key, "POST", &path, "").await.status, 200);
        assert_eq!(send(&site, &weak.key, "POST", &format!("/api/users/groups/deleted/{id}/restore"), "").await.status, 403);
        site.directory().restore_group(&operator(), id.try_into().unwrap()).await.unwrap();
        let shown = send(&site, &site.admin.key, "GET", &format!("/api/users/{}", site.staff.id), "").await.json();
        assert_eq!(shown["groups"], json!([id]));
    }
}

both! {
    /// A permission that was removed does not come back with the group, not even if a new one has its code.
    async fn removed_permissions_do_not_come_back(backend: Backend) {
        let site = Site::start(backend).await;
        let directory = site.directory();
        for (code, name) in [(10_001, "order_read"), (10_002, "order_write")] {
            directory.create_permission(&operator(), Some(code), name).await.unwrap();
        }
        let known = directory.permissions(&operator()).await.unwrap();
        let own: Vec<i64> = known.iter().filter(|one| one.code >= 10_000).map(|one| one.id.get()).collect();
        let id = binned(&site, "orders", &own, &[42]).await;
        directory.remove_permission(&operator(), &"order_read".parse::<PermissionKey>().unwrap()).await.unwrap();
        directory.create_permission(&operator(), Some(10_001), "nuclear_launch").await.unwrap();
        send(&site, &site.admin.key, "POST", &format!("/api/users/groups/deleted/{id}/restore"), "").await;
        assert_eq!(own_codes(&site, id).await, [10_002]);
    }
}

both! {
    /// A deleted group that an import brought may name users and permissions that were never here. New ones that get their
    /// ids and codes gain nothing by it.
    async fn what_is_new_is_not_what_a_deleted_group_names(backend: Backend) {
        let site = Site::start(backend).await;
        let directory = site.directory();
        directory.create_permission(&operator(), Some(10_001), "order_read").await.unwrap();
        let own = directory.permissions(&operator()).await.unwrap().iter().find(|one| one.code == 10_001).unwrap().id.get();
        let id = binned(&site, "orders", &[own], &[42]).await;
        let last = crate::support::site::person(directory, "last", |_| {}).await.id;
        site.database.sql(&format!("INSERT INTO deleted_memberships (group_id, user_id) VALUES ({id}, {})", last + 1)).await;
        site.database.sql("UPDATE deleted_groups SET remains = REPLACE(remains, '10001', '10777')").await;
        let next = crate::support::site::person(directory, "next", |_| {}).await.id;
        assert_eq!(next, last + 1);
        directory.create_permission(&operator(), Some(10_777), "order_all").await.unwrap();
        send(&site, &site.admin.key, "POST", &format!("/api/users/groups/deleted/{id}/restore"), "").await;
        assert_eq!(own_codes(&site, id).await, [0; 0]);
        let user = send(&site, &site.admin.key, "GET", &format!("/api/users/{next}"), "").await.json();
        assert_eq!(user["groups"], json!([]));
        let member = send(&site, &site.admin.key, "GET", "/api/users/42", "").await.json();
        assert!(member["groups"].as_array().unwrap().contains(&json!(id)), "the known member is back: {member}");
    }
}

async fn own_codes(site: &Site, id: i64) -> Vec<i64> {
    let group = send(site, &site.admin.key, "GET", &format!("/api/users/groups/{id}"), "").await.json();
    group["permissions_data"].as_array().unwrap().iter().map(|one| one["code"].as_i64().unwrap()).collect()
}

both! {
    /// A group whose time in the bin is over reads as gone, purged or not. Purging leaves the trail unchanged.
    async fn time_ends_what_is_kept(backend: Backend) {
        let site = Site::start(backend).await;
        let admin = &site.admin.key;
        for id in [1, 3, 7] {
            send(&site, admin, "DELETE", &format!("/api/users/groups/{id}"), "").await;
        }
        assert_eq!(ids(&site, "/api/users/groups/deleted?ordering=name").await, [3, 7, 1]);
        assert_eq!(ids(&site, "/api/users/groups/deleted?search=bill&deleted_date=2025-09-01&id_max=5").await, [3]);
        assert_eq!(rows(&site, "/api/users/groups/deleted?fields=name&ordering=-id&limit=1").await, [json!({ "name": "On call" })]);
        assert_eq!(send(&site, admin, "DELETE", "/api/users/groups/deleted/7", "").await.status, 204);
        assert_eq!(ids(&site, "/api/users/groups/deleted?cursor=").await, [1, 3]);
        assert_eq!(site.directory().purge_expired().await.unwrap(), 0);
        site.clock.set(site.clock.now().plus(Duration::from_hours(24 * 30)).unwrap());
        assert_eq!(ids(&site, "/api/users/groups/deleted").await, [0; 0]);
        assert_eq!(send(&site, admin, "POST", "/api/users/groups/deleted/3/restore", "").await.status, 404);
        let free = send(&site, &site.holder.key, "POST", "/api/users/groups", r#"{"name": "Billing"}"#).await;
        assert_eq!(free.status, 201, "the name is free for staff: {free}");
        assert_eq!(site.directory().purge_expired().await.unwrap(), 2);
        for table in ["deleted_groups", "deleted_memberships"] {
            assert_eq!(site.database.number(&format!("SELECT count(*) FROM {table}")).await, 0);
        }
        let purged = "SELECT object_id || ' ' || object_name || ' ' || actor_name FROM audit_events \
                      WHERE action = 'group.purge' ORDER BY object_id";
        let expected = ["1 Staff room retention", "3 Billing retention", "7 On call admin"];
        assert_eq!(site.database.texts(purged).await, expected);
    }
}

both! {
    async fn without_a_retention_time_deletion_is_final(backend: Backend) {
        let site = Site::with_directory(backend, |settings| settings.keep_deleted_for = Duration::ZERO).await;
        send(&site, &site.admin.key, "DELETE", "/api/users/groups/3", "").await;
        assert_eq!(site.database.number("SELECT count(*) FROM deleted_groups").await, 0);
        assert_eq!(send(&site, &site.admin.key, "POST", "/api/users/groups/deleted/3/restore", "").await.status, 404);
    }
}

both! {
    async fn misuse_is_reported(backend: Backend) {
        let site = Site::start(backend).await;
        for (path, expected) in [
            ("/api/users/groups/deleted?x=1", r#"400 {"x":["Unknown parameter."]}"#),
            ("/api/users/groups/deleted?ordering=users_count", r#"400 {"ordering":["\"users_count\" is not a valid choice."]}"#),
            ("/api/users/groups/deleted?fields=notes", r#"400 {"fields":["\"notes\" is not a valid choice."]}"#),
        ] {
            assert_eq!(send(&site, &site.admin.key, "GET", path, "").await.to_string(), expected);
        }
        for id in ["x", "0", "99999999999999999999", "7"] {
            for (method, end) in [("POST", "/restore"), ("DELETE", "")] {
                let path = format!("/api/users/groups/deleted/{id}{end}");
                assert_eq!(send(&site, &site.admin.key, method, &path, "").await.status, 404, "{path}");
            }
        }
    }
}

both! {
    /// A group with many members goes and comes back in one transaction, with all of them.
    async fn a_large_group_comes_back_whole(backend: Backend) {
        let site = Site::start(backend).await;
        let mut members = Vec::new();
        for part in 0..3 {
            let users: Vec<_> = (0..1000).map(|number| json!({ "username": format!("many{part}.{number}") })).collect();
            let made = send(&site, &site.admin.key, "POST", "/api/users/bulk", &json!({ "users": users }).to_string()).await.json();
            let made = made["users"].as_array().unwrap_or_else(|| panic!("{made}"));
            let ids: Vec<_> = made.iter().map(|user| user["id"].clone()).collect();
            send(&site, &site.admin.key, "POST", "/api/users/groups/3/members", &json!({ "users": ids }).to_string()).await;
            members.extend(ids);
        }
        assert_eq!(send(&site, &site.admin.key, "DELETE", "/api/users/groups/3", "").await.status, 204);
        let back = send(&site, &site.admin.key, "POST", "/api/users/groups/deleted/3/restore", "").await.json();
        assert_eq!(back["users_count"], members.len() + 1);
        assert_eq!(site.database.number("SELECT count(*) FROM memberships WHERE group_id = 3").await, 3001);
    }
}
