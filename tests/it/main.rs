//! The integration tests: a single binary, whose files mirror the URLs, the commands and the promises.
//!
//! [`both!`] runs every test that uses a database twice, on SQLite and on PostgreSQL. `WARDROOM_TEST_POSTGRES` names
//! the PostgreSQL server, and `WARDROOM_TEST_DJANGO` the Django versions to import from. `scripts/test` sets both.
//! Without them those tests fail: a missing component is an error, never a skip.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![expect(unreachable_pub, reason = "the whole binary is one crate that nothing depends on")]
#![expect(clippy::indexing_slicing, reason = "a test that indexes too far fails, as it should")]

mod support;

mod addresses;
mod api_all_tokens;
mod api_audit;
mod api_auth;
mod api_bulk;
mod api_contract;
mod api_deleted;
mod api_deleted_groups;
mod api_document;
mod api_groups_list;
mod api_guard;
mod api_permissions;
mod api_ratchet;
mod api_round_trip;
mod api_sign_out;
mod api_tokens;
mod api_users;
mod api_users_list;
mod api_users_me;
mod api_versions;
mod attacks;
mod audit;
mod backup;
mod blocked_writes;
mod bounds;
mod certificates;
mod cli;
mod cli_audit;
mod cli_deleted_groups;
mod cli_lists;
mod cli_permissions;
mod cli_remote;
mod cli_terminal;
mod cli_users;
mod clocks;
mod compare;
mod cors;
mod database;
mod directory;
mod django_material;
mod docs_links;
mod docs_security;
mod docs_walk;
mod doctor;
mod edge;
mod encodings;
mod export;
mod express;
mod feed;
mod findings;
mod front;
mod guard_refusals;
mod guard_sign_in;
mod guard_taken;
mod guards;
mod health;
mod house;
mod import;
mod import_django;
mod import_ended;
mod import_people;
mod import_public_shapes;
mod import_shapes;
mod import_values;
mod language;
mod linearizable;
mod list_plans;
mod log_lines;
mod long_reads;
mod matrix;
mod metrics;
mod misuses;
mod moving;
mod next_steps;
mod outages;
mod owners;
mod parked;
mod pgbouncer;
mod pictures;
mod pinned;
mod postgres_connection;
mod postgres_rights;
mod postgres_schema;
mod postgres_start;
mod postgres_tls;
mod process;
mod released;
mod restore;
mod restore_hostile;
mod secrets;
mod silence;
mod sqlite_files;
mod start_errors;
mod units;
