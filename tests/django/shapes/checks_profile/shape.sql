-- Like Healthchecks: random usernames, a profile with the secret of a second factor and a token for a link, keys of
-- projects that belong to no user, and members with a time at which they asked for a transfer.

CREATE TABLE auth_user (
    id integer PRIMARY KEY, password varchar(128) NOT NULL, last_login timestamp with time zone, is_superuser boolean NOT NULL,
    username varchar(150) NOT NULL UNIQUE, first_name varchar(150) NOT NULL, last_name varchar(150) NOT NULL,
    email varchar(254) NOT NULL, is_staff boolean NOT NULL, is_active boolean NOT NULL, date_joined timestamp with time zone NOT NULL
);
CREATE TABLE auth_group (id integer PRIMARY KEY, name varchar(150) NOT NULL UNIQUE);
CREATE TABLE auth_user_groups (
    id integer PRIMARY KEY, user_id integer NOT NULL REFERENCES auth_user (id), group_id integer NOT NULL REFERENCES auth_group (id),
    UNIQUE (user_id, group_id)
);

CREATE TABLE accounts_profile (
    id integer PRIMARY KEY, user_id integer UNIQUE REFERENCES auth_user (id), token varchar(128) NOT NULL, totp varchar(32), tz varchar(36) NOT NULL
);
CREATE TABLE accounts_project (
    id integer PRIMARY KEY, name varchar(200) NOT NULL, owner_id integer NOT NULL REFERENCES auth_user (id), api_key varchar(128) NOT NULL
);
CREATE TABLE accounts_member (
    id integer PRIMARY KEY, user_id integer NOT NULL REFERENCES auth_user (id), project_id integer NOT NULL REFERENCES accounts_project (id),
    transfer_request_date timestamp with time zone, role varchar(1) NOT NULL
);
CREATE TABLE accounts_credential (id integer PRIMARY KEY, code varchar(36) NOT NULL UNIQUE, user_id integer NOT NULL REFERENCES auth_user (id), data text NOT NULL);
INSERT INTO auth_user VALUES
    (1, '!', NULL, TRUE, 'f3a9c1d2-1', '', '', 'ops@example.com', TRUE, TRUE, '2020-01-01 00:00:00'),
    (2, '!', NULL, FALSE, 'a1b2c3d4-2', '', '', 'dot@example.com', FALSE, TRUE, '2020-01-01 00:00:00');
INSERT INTO accounts_profile VALUES (1, 1, '', 'GEZDGNBVGY3TQOJQ', 'UTC'), (2, 2, 'link-token', NULL, 'UTC');
INSERT INTO accounts_project VALUES (1, 'Alarms', 1, 'project-key-000000000000000000001');
INSERT INTO accounts_member VALUES (1, 2, 1, NULL, 'w');
INSERT INTO accounts_credential VALUES (1, '00000000-0000-4000-8000-000000000001', 1, 'x');
