-- Like NetBox: several keys for each person, with names, ends and rights of their own, and a users' and a groups'
-- table of the project's own.

CREATE TABLE users_user (
    id integer PRIMARY KEY, password varchar(128) NOT NULL, last_login timestamp with time zone, is_superuser boolean NOT NULL,
    username varchar(150) NOT NULL UNIQUE, first_name varchar(150) NOT NULL, last_name varchar(150) NOT NULL, email varchar(254) NOT NULL,
    is_staff boolean NOT NULL, is_active boolean NOT NULL, date_joined timestamp with time zone NOT NULL
);
CREATE TABLE users_group (id integer PRIMARY KEY, name varchar(150) NOT NULL UNIQUE, description varchar(200) NOT NULL);
CREATE TABLE users_user_groups (
    id integer PRIMARY KEY, user_id integer NOT NULL REFERENCES users_user (id), group_id integer NOT NULL REFERENCES users_group (id)
);
CREATE TABLE users_token (
    id integer PRIMARY KEY, created timestamp with time zone NOT NULL, expires timestamp with time zone, last_used timestamp with time zone,
    key varchar(40) NOT NULL UNIQUE, write_enabled boolean NOT NULL, description varchar(200) NOT NULL,
    user_id integer NOT NULL REFERENCES users_user (id)
);
CREATE TABLE users_userconfig (id integer PRIMARY KEY, data text NOT NULL, user_id integer NOT NULL UNIQUE REFERENCES users_user (id));
CREATE TABLE users_objectpermission (id integer PRIMARY KEY, name varchar(100) NOT NULL);
CREATE TABLE users_objectpermission_users (
    id integer PRIMARY KEY, objectpermission_id integer NOT NULL REFERENCES users_objectpermission (id), user_id integer NOT NULL REFERENCES users_user (id)
);
CREATE TABLE users_objectpermission_groups (
    id integer PRIMARY KEY, objectpermission_id integer NOT NULL REFERENCES users_objectpermission (id), group_id integer NOT NULL REFERENCES users_group (id)
);
INSERT INTO users_user VALUES
    (1, '!', NULL, TRUE, 'noc', '', '', '', TRUE, TRUE, '2020-01-01 00:00:00'),
    (2, '!', NULL, FALSE, 'rack', 'Rack', 'Robot', '', FALSE, TRUE, '2020-01-01 00:00:00');
INSERT INTO users_group VALUES (1, 'Operators', 'On call'), (2, 'Readers', '');
INSERT INTO users_user_groups VALUES (1, 1, 1), (2, 2, 2);
INSERT INTO users_token VALUES
    (1, '2024-01-01 00:00:00', NULL, NULL, 'c4691bb442c4c5631155c602d89f835aa641ebb7', TRUE, 'laptop', 1),
    (2, '2024-01-01 00:00:00', '2099-01-01 00:00:00', NULL, '68100f4b16525422ee2f946a438926217a57496c', TRUE, '', 2),
    (3, '2024-01-01 00:00:00', '2024-02-01 00:00:00', NULL, 'ba0404d79e42419e0f5c62d8447f3fade2d5040f', FALSE, 'over', 2);
INSERT INTO users_userconfig VALUES (1, '{}', 1), (2, '{}', 2);
INSERT INTO users_objectpermission VALUES (1, 'all');
INSERT INTO users_objectpermission_users VALUES (1, 1, 2);
INSERT INTO users_objectpermission_groups VALUES (1, 1, 1);
