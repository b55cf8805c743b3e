-- Like Zulip: the key of the API is a column of the users' table, people sign in with one of two e-mail addresses,
-- groups are the project's own and Django's stay empty, and a table refers to users twice.

CREATE TABLE chat_realm (id integer PRIMARY KEY, string_id varchar(40) NOT NULL UNIQUE);
CREATE TABLE chat_userprofile (
    id integer PRIMARY KEY, password varchar(128) NOT NULL, last_login timestamp with time zone, is_superuser boolean NOT NULL,
    delivery_email varchar(254) NOT NULL, email varchar(254) NOT NULL, full_name varchar(100) NOT NULL,
    date_joined timestamp with time zone NOT NULL, is_staff boolean NOT NULL, is_active boolean NOT NULL,
    realm_id integer NOT NULL REFERENCES chat_realm (id), is_bot boolean NOT NULL,
    bot_owner_id integer REFERENCES chat_userprofile (id), role smallint NOT NULL, api_key varchar(32) NOT NULL UNIQUE,
    UNIQUE (realm_id, email)
);
CREATE TABLE auth_group (id integer PRIMARY KEY, name varchar(150) NOT NULL UNIQUE);
CREATE TABLE chat_userprofile_groups (
    id integer PRIMARY KEY, userprofile_id integer NOT NULL REFERENCES chat_userprofile (id), group_id integer NOT NULL REFERENCES auth_group (id),
    UNIQUE (userprofile_id, group_id)
);

CREATE TABLE chat_usergroup (id integer PRIMARY KEY, name varchar(100) NOT NULL, realm_id integer NOT NULL REFERENCES chat_realm (id), UNIQUE (realm_id, name));
CREATE TABLE chat_usergroupmembership (
    id integer PRIMARY KEY, user_group_id integer NOT NULL REFERENCES chat_usergroup (id),
    user_profile_id integer NOT NULL REFERENCES chat_userprofile (id), UNIQUE (user_group_id, user_profile_id)
);
CREATE TABLE chat_muteduser (
    id integer PRIMARY KEY, user_profile_id integer NOT NULL REFERENCES chat_userprofile (id),
    muted_user_id integer NOT NULL REFERENCES chat_userprofile (id), date_muted timestamp with time zone NOT NULL
);
INSERT INTO chat_realm VALUES (1, 'office');
INSERT INTO chat_userprofile VALUES
    (8, '!', NULL, TRUE, 'iris@example.com', 'user8@chat.example.com', 'Iris Lund', '2020-01-01 00:00:00', TRUE, TRUE, 1, FALSE, NULL, 100, '8a8b8c8d8e8f80818283848586878889'),
    (9, '!', NULL, FALSE, 'hugo@example.com', 'user9@chat.example.com', 'Hugo Berg', '2020-01-01 00:00:00', FALSE, TRUE, 1, FALSE, NULL, 400, '9a9b9c9d9e9f90919293949596979899'),
    (10, '!', NULL, FALSE, 'bell-bot@example.com', 'user10@chat.example.com', 'Bell', '2020-01-01 00:00:00', FALSE, TRUE, 1, TRUE, 9, 400, 'aaabacadaeafa0a1a2a3a4a5a6a7a8a9'),
    (11, '!', NULL, FALSE, 'left@example.com', 'user11@chat.example.com', 'Left', '2020-01-01 00:00:00', FALSE, FALSE, 1, FALSE, NULL, 400, 'babbbcbdbebfb0b1b2b3b4b5b6b7b8b9');
INSERT INTO chat_usergroup VALUES (1, 'role:owners', 1), (2, 'Design', 1);
INSERT INTO chat_usergroupmembership VALUES (1, 1, 8), (2, 2, 8), (3, 2, 9);
INSERT INTO chat_muteduser VALUES (1, 8, 10, '2020-01-01 00:00:00');
