-- Like Misago: a primary group in the users' row, more groups as memberships, users who follow and block each other,
-- and a column with another name for the time of joining.

CREATE TABLE forum_group (id integer PRIMARY KEY, name varchar(255) NOT NULL, slug varchar(255) NOT NULL, description text NOT NULL);
CREATE TABLE forum_user (
    id integer PRIMARY KEY, password varchar(128) NOT NULL, last_login timestamp with time zone, username varchar(30) NOT NULL, slug varchar(30) NOT NULL UNIQUE,
    email varchar(255) NOT NULL, email_hash varchar(32) NOT NULL UNIQUE, joined_on timestamp with time zone NOT NULL, is_staff boolean NOT NULL,
    is_superuser boolean NOT NULL, is_active boolean NOT NULL, is_deleting_account boolean NOT NULL, group_id integer REFERENCES forum_group (id)
);
CREATE TABLE forum_user_groups (
    id integer PRIMARY KEY, user_id integer NOT NULL REFERENCES forum_user (id), group_id integer NOT NULL REFERENCES forum_group (id)
);
CREATE TABLE forum_follow (id integer PRIMARY KEY, from_user_id integer NOT NULL REFERENCES forum_user (id), to_user_id integer NOT NULL REFERENCES forum_user (id));
CREATE TABLE forum_ban (id integer PRIMARY KEY, banned_value varchar(255) NOT NULL, user_message text, expires_on timestamp with time zone);
INSERT INTO forum_group VALUES (1, 'Members', 'members', 'all of us'), (2, 'Moderators', 'moderators', '');
INSERT INTO forum_user VALUES
    (1, '!', NULL, 'Bodil', 'bodil', 'bodil@example.com', 'h1', '2019-05-06 00:00:00', TRUE, TRUE, TRUE, FALSE, 1),
    (2, '!', NULL, 'Arne', 'arne', 'arne@example.com', 'h2', '2020-01-01 00:00:00', FALSE, FALSE, TRUE, TRUE, 1);
INSERT INTO forum_user_groups VALUES (1, 1, 1), (2, 1, 2), (3, 2, 1);
INSERT INTO forum_follow VALUES (1, 1, 2), (2, 2, 1);
INSERT INTO forum_ban VALUES (1, 'arne', NULL, NULL);
