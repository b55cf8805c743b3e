-- Like projects with django-safedelete: who was deleted stays in the table, active, with a time of deletion, and may
-- share an address with a living row. A view leaves them out.

CREATE TABLE people_account (
    id integer PRIMARY KEY, password varchar(128) NOT NULL, last_login timestamp with time zone, is_superuser boolean NOT NULL,
    username varchar(150) NOT NULL UNIQUE, first_name varchar(150) NOT NULL, last_name varchar(150) NOT NULL,
    email varchar(254) NOT NULL, is_staff boolean NOT NULL, is_active boolean NOT NULL, date_joined timestamp with time zone NOT NULL,
    deleted timestamp with time zone, deleted_by_cascade boolean NOT NULL
);
CREATE TABLE auth_group (id integer PRIMARY KEY, name varchar(150) NOT NULL UNIQUE);
CREATE TABLE people_account_groups (
    id integer PRIMARY KEY, account_id integer NOT NULL REFERENCES people_account (id), group_id integer NOT NULL REFERENCES auth_group (id),
    UNIQUE (account_id, group_id)
);
CREATE TABLE authtoken_token (
    key varchar(40) PRIMARY KEY, created timestamp with time zone NOT NULL, user_id integer NOT NULL UNIQUE REFERENCES people_account (id)
);

CREATE VIEW live_account AS SELECT id, password, last_login, is_superuser, username, first_name, last_name, email, is_staff, is_active, date_joined
    FROM people_account WHERE deleted IS NULL;
INSERT INTO people_account VALUES
    (1, '!', NULL, TRUE, 'head', '', '', 'head@example.com', TRUE, TRUE, '2020-01-01 00:00:00', NULL, FALSE),
    (2, '!', NULL, FALSE, 'back', '', '', 'back@example.com', TRUE, TRUE, '2022-01-01 00:00:00', NULL, FALSE),
    (3, '!', NULL, FALSE, 'back.old', '', '', 'back@example.com', TRUE, TRUE, '2020-01-01 00:00:00', '2021-01-01 00:00:00', FALSE);
INSERT INTO auth_group VALUES (1, 'Office');
INSERT INTO people_account_groups VALUES (1, 2, 1), (2, 3, 1);
INSERT INTO authtoken_token VALUES ('1a20cd22b3d8abcb9c0a24d7e92538b652f5f7e1', '2020-01-01 00:00:00', 2), ('a4fd4ceeb3ad59d806e3e1b6ce4d7af839d9c8f5', '2020-01-01 00:00:00', 3);
