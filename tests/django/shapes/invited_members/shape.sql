-- Like Taiga: no is_staff, one token in the users' row that is a key for nothing but cancelling the account, members
-- of projects with a key to the user and a key to who invited them, and accounts of the system.

CREATE TABLE users_user (
    id integer PRIMARY KEY, password varchar(128) NOT NULL, last_login timestamp with time zone, is_superuser boolean NOT NULL, uuid varchar(32) NOT NULL UNIQUE,
    username varchar(255) NOT NULL UNIQUE, email varchar(255) NOT NULL UNIQUE, is_active boolean NOT NULL, full_name varchar(256) NOT NULL,
    photo varchar(500), date_joined timestamp with time zone NOT NULL, token varchar(200), email_token varchar(200), is_system boolean NOT NULL
);
CREATE TABLE users_role (id integer PRIMARY KEY, name varchar(200) NOT NULL, project_id integer NOT NULL);
CREATE TABLE projects_membership (
    id integer PRIMARY KEY, is_admin boolean NOT NULL, email varchar(255), token varchar(60), user_id integer REFERENCES users_user (id),
    role_id integer NOT NULL REFERENCES users_role (id), invited_by_id integer REFERENCES users_user (id)
);
CREATE TABLE users_authdata (id integer PRIMARY KEY, key varchar(50) NOT NULL, value varchar(300) NOT NULL, user_id integer NOT NULL REFERENCES users_user (id));
INSERT INTO users_user VALUES
    (5, '!', NULL, TRUE, 'u5', 'alma', 'alma@example.com', TRUE, 'Alma Gil', 'user/a/alma.png', '2020-01-01 00:00:00', 'cancel-token', NULL, FALSE),
    (6, '!', NULL, FALSE, 'u6', 'beto', 'beto@example.com', TRUE, 'Beto', NULL, '2020-01-01 00:00:00', NULL, NULL, FALSE),
    (7, '!', NULL, FALSE, 'u7', 'hook-7', 'hook-7@example.com', TRUE, 'Hook', NULL, '2020-01-01 00:00:00', NULL, NULL, TRUE);
INSERT INTO users_role VALUES (1, 'Product Owner', 1), (2, 'Back', 1);
INSERT INTO projects_membership VALUES (1, TRUE, NULL, NULL, 5, 1, NULL), (2, FALSE, NULL, NULL, 6, 2, 5), (3, FALSE, 'new@example.com', 'invite', NULL, 2, 6);
INSERT INTO users_authdata VALUES (1, 'example', '7', 6);
