-- Like sites of communities: memberships through a model with more columns and two keys to users, of which a unique
-- pair decides, requests to join, and badges that join users and groups.

CREATE TABLE auth_user (
    id integer PRIMARY KEY, password varchar(128) NOT NULL, last_login timestamp with time zone, is_superuser boolean NOT NULL,
    username varchar(150) NOT NULL UNIQUE, first_name varchar(150) NOT NULL, last_name varchar(150) NOT NULL,
    email varchar(254) NOT NULL, is_staff boolean NOT NULL, is_active boolean NOT NULL, date_joined timestamp with time zone NOT NULL
);
CREATE TABLE auth_group (id integer PRIMARY KEY, name varchar(150) NOT NULL UNIQUE);
CREATE TABLE authtoken_token (
    key varchar(40) PRIMARY KEY, created timestamp with time zone NOT NULL, user_id integer NOT NULL UNIQUE REFERENCES auth_user (id)
);

CREATE TABLE circle_membership (
    id integer PRIMARY KEY, user_id integer NOT NULL REFERENCES auth_user (id), group_id integer NOT NULL REFERENCES auth_group (id),
    added_by_id integer REFERENCES auth_user (id), since timestamp with time zone NOT NULL, UNIQUE (user_id, group_id)
);
CREATE TABLE circle_joinrequest (
    id integer PRIMARY KEY, user_id integer NOT NULL REFERENCES auth_user (id), group_id integer NOT NULL REFERENCES auth_group (id), answer varchar(10)
);
CREATE TABLE circle_badge (id integer PRIMARY KEY, user_id integer NOT NULL REFERENCES auth_user (id), group_id integer REFERENCES auth_group (id), name varchar(50) NOT NULL);
INSERT INTO auth_user VALUES
    (1, '!', NULL, TRUE, 'host', '', '', '', TRUE, TRUE, '2020-01-01 00:00:00'), (2, '!', NULL, FALSE, 'guest', '', '', '', FALSE, TRUE, '2020-01-01 00:00:00'),
    (3, '!', NULL, FALSE, 'door', '', '', '', FALSE, TRUE, '2020-01-01 00:00:00');
INSERT INTO auth_group VALUES (1, 'Garden'), (2, 'Kitchen');
INSERT INTO circle_membership VALUES (1, 2, 1, 1, '2024-01-01 00:00:00'), (2, 1, 2, NULL, '2024-01-01 00:00:00');
INSERT INTO circle_joinrequest VALUES (1, 3, 1, NULL), (2, 3, 2, 'no');
INSERT INTO circle_badge VALUES (1, 3, 2, 'cook');
INSERT INTO authtoken_token VALUES ('1d94f4b8117b2f6d73be096d27629e15d95a5eb3', '2020-01-01 00:00:00', 2);
