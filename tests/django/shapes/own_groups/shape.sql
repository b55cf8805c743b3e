-- Like Weblate: groups of the project's own while Django's auth_group was left behind, administrators of groups and
-- invitations, which join users and groups without being memberships, and no is_staff.

CREATE TABLE auth_group (id integer PRIMARY KEY, name varchar(150) NOT NULL UNIQUE);
CREATE TABLE lingua_user (
    id integer PRIMARY KEY, password varchar(128) NOT NULL, last_login timestamp with time zone, is_superuser boolean NOT NULL,
    username varchar(190) NOT NULL UNIQUE, full_name varchar(190) NOT NULL, email varchar(190) UNIQUE, is_active boolean NOT NULL,
    is_bot boolean NOT NULL, date_joined timestamp with time zone NOT NULL, date_expires timestamp with time zone
);
CREATE TABLE lingua_role (id integer PRIMARY KEY, name varchar(200) NOT NULL);
CREATE TABLE lingua_group (id integer PRIMARY KEY, name varchar(150) NOT NULL, internal boolean NOT NULL, language_selection integer NOT NULL);
CREATE TABLE lingua_group_roles (
    id integer PRIMARY KEY, group_id integer NOT NULL REFERENCES lingua_group (id), role_id integer NOT NULL REFERENCES lingua_role (id)
);
CREATE TABLE lingua_group_admins (
    id integer PRIMARY KEY, group_id integer NOT NULL REFERENCES lingua_group (id), user_id integer NOT NULL REFERENCES lingua_user (id)
);
CREATE TABLE lingua_user_groups (
    id integer PRIMARY KEY, user_id integer NOT NULL REFERENCES lingua_user (id), group_id integer NOT NULL REFERENCES lingua_group (id),
    UNIQUE (user_id, group_id)
);
CREATE TABLE lingua_invitation (
    uuid varchar(36) PRIMARY KEY, author_id integer NOT NULL REFERENCES lingua_user (id), user_id integer REFERENCES lingua_user (id),
    group_id integer NOT NULL REFERENCES lingua_group (id), email varchar(190) NOT NULL
);
CREATE TABLE accounts_profile (
    id integer PRIMARY KEY, user_id integer NOT NULL UNIQUE REFERENCES lingua_user (id), language varchar(10) NOT NULL, theme varchar(10) NOT NULL
);
CREATE TABLE authtoken_token (
    key varchar(40) PRIMARY KEY, created timestamp with time zone NOT NULL, user_id integer NOT NULL UNIQUE REFERENCES lingua_user (id)
);

INSERT INTO auth_group VALUES (1, 'Administrators'), (2, 'Billing');
INSERT INTO lingua_user VALUES
    (1, '!', NULL, FALSE, 'anonymous', 'Anonymous', 'noreply@example.com', FALSE, FALSE, '2020-01-01 00:00:00', NULL),
    (2, '!', NULL, TRUE, 'petra', 'Petra Nova', 'petra@example.com', TRUE, FALSE, '2020-01-01 00:00:00', NULL),
    (3, '!', NULL, FALSE, 'tess', 'Tess', NULL, TRUE, FALSE, '2020-01-01 00:00:00', NULL),
    (4, '!', NULL, FALSE, 'bot-sync', 'Sync', 'bot@example.com', TRUE, TRUE, '2020-01-01 00:00:00', NULL);
INSERT INTO lingua_role VALUES (1, 'Translate');
INSERT INTO lingua_group VALUES (1, 'Translators', FALSE, 1), (2, 'Viewers', TRUE, 1);
INSERT INTO lingua_group_roles VALUES (1, 1, 1);
INSERT INTO lingua_group_admins VALUES (1, 1, 2);
INSERT INTO lingua_user_groups VALUES (1, 3, 1), (2, 2, 2), (3, 3, 2);
INSERT INTO lingua_invitation VALUES ('00000000-0000-4000-8000-000000000001', 2, 4, 1, '');
INSERT INTO accounts_profile VALUES (1, 2, 'cs', 'auto'), (2, 3, 'en', 'dark');
INSERT INTO authtoken_token VALUES ('5743cb73775eefe520d477f1ae1e61f6201324f3', '2020-01-01 00:00:00', 2), ('95c5a38f341fbcc5e037f8823923a17336cf140e', '2020-01-01 00:00:00', 3), ('1221847638a7890fa511542b32f63c2fc9b39717', '2020-01-01 00:00:00', 1);
