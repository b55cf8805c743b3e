-- Like Label Studio: the users' table has a name that says nothing, phone numbers are blank or doubled, and members of
-- organizations have a time of deletion.

CREATE TABLE tag_organization (id integer PRIMARY KEY, title varchar(1000) NOT NULL, created_by_id integer);
CREATE TABLE htx_user (
    id integer PRIMARY KEY, password varchar(128) NOT NULL, last_login timestamp with time zone, is_superuser boolean NOT NULL,
    username varchar(256) NOT NULL, email varchar(254) NOT NULL UNIQUE, first_name varchar(256) NOT NULL, last_name varchar(256) NOT NULL,
    phone varchar(256) NOT NULL, avatar varchar(100) NOT NULL, is_staff boolean NOT NULL, is_active boolean NOT NULL,
    date_joined timestamp with time zone NOT NULL, last_activity timestamp with time zone NOT NULL, activity_at timestamp with time zone NOT NULL,
    active_organization_id integer REFERENCES tag_organization (id)
);
CREATE TABLE auth_group (id integer PRIMARY KEY, name varchar(150) NOT NULL UNIQUE);
CREATE TABLE htx_user_groups (
    id integer PRIMARY KEY, user_id integer NOT NULL REFERENCES htx_user (id), group_id integer NOT NULL REFERENCES auth_group (id),
    UNIQUE (user_id, group_id)
);
CREATE TABLE authtoken_token (
    key varchar(40) PRIMARY KEY, created timestamp with time zone NOT NULL, user_id integer NOT NULL UNIQUE REFERENCES htx_user (id)
);

CREATE TABLE tag_organizationmember (
    id integer PRIMARY KEY, user_id integer NOT NULL REFERENCES htx_user (id), organization_id integer NOT NULL REFERENCES tag_organization (id), deleted_at timestamp with time zone
);
INSERT INTO tag_organization VALUES (1, 'Labels', 1);
INSERT INTO htx_user VALUES
    (1, '!', NULL, TRUE, 'boss', 'boss@example.com', '', '', '', '', TRUE, TRUE, '2020-01-01 00:00:00', '2024-01-01 00:00:00', '2024-01-01 00:00:00', 1),
    (2, '!', NULL, FALSE, 'lab', 'lab@example.com', 'La', 'Bel', '+1-555-0120', 'avatars/l.png', FALSE, TRUE, '2020-01-01 00:00:00', '2024-01-01 00:00:00', '2024-01-01 00:00:00', 1),
    (3, '!', NULL, FALSE, 'lab2', 'lab2@example.com', '', '', '+1-555-0120', '', FALSE, TRUE, '2020-01-01 00:00:00', '2024-01-01 00:00:00', '2024-01-01 00:00:00', NULL),
    (4, '!', NULL, FALSE, 'blank', 'blank@example.com', '', '', '', '', FALSE, TRUE, '2020-01-01 00:00:00', '2024-01-01 00:00:00', '2024-01-01 00:00:00', NULL);
INSERT INTO authtoken_token VALUES ('94b75b6dd372adcf43615e159eccc239faa26ba8', '2020-01-01 00:00:00', 1), ('62fea2920427b8a84c1aafdd1138c9b58c32f0af', '2020-01-01 00:00:00', 2), ('5fb1dcf8fdc05ab2ed4b3a82ded0f40179311180', '2020-01-01 00:00:00', 3);
INSERT INTO tag_organizationmember VALUES (1, 2, 1, NULL), (2, 3, 1, '2024-01-01 00:00:00');
