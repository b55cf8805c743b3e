-- Like projects with django-guardian (Paperless among them): a row AnonymousUser with the id -1, rights of users and
-- groups on single objects, addresses and second factors of django-allauth.

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
CREATE TABLE authtoken_token (
    key varchar(40) PRIMARY KEY, created timestamp with time zone NOT NULL, user_id integer NOT NULL UNIQUE REFERENCES auth_user (id)
);

CREATE TABLE guardian_userobjectpermission (
    id integer PRIMARY KEY, object_pk varchar(255) NOT NULL, permission_id integer NOT NULL, user_id integer NOT NULL REFERENCES auth_user (id)
);
CREATE TABLE guardian_groupobjectpermission (
    id integer PRIMARY KEY, object_pk varchar(255) NOT NULL, permission_id integer NOT NULL, group_id integer NOT NULL REFERENCES auth_group (id)
);
CREATE TABLE account_emailaddress (
    id integer PRIMARY KEY, email varchar(254) NOT NULL, verified boolean NOT NULL, user_id integer NOT NULL REFERENCES auth_user (id)
);
CREATE TABLE mfa_authenticator (id bigint PRIMARY KEY, type varchar(20) NOT NULL, data text NOT NULL, user_id integer NOT NULL REFERENCES auth_user (id));
CREATE TABLE documents_uisettings (id integer PRIMARY KEY, settings text, user_id integer NOT NULL UNIQUE REFERENCES auth_user (id));
INSERT INTO auth_user VALUES
    (-1, '!', NULL, FALSE, 'AnonymousUser', '', '', '', FALSE, TRUE, '2020-01-01 00:00:00'),
    (3, '!', NULL, TRUE, 'archive', '', '', '', TRUE, TRUE, '2020-01-01 00:00:00'),
    (4, '!', NULL, FALSE, 'scan', '', '', '', FALSE, TRUE, '2020-01-01 00:00:00');
INSERT INTO auth_group VALUES (1, 'Tax');
INSERT INTO auth_user_groups VALUES (1, 4, 1), (2, -1, 1);
INSERT INTO authtoken_token VALUES ('3d4f7d69b694a1ef1b3deafa26c285994ba68ca0', '2020-01-01 00:00:00', 3), ('eec12b3bd0849cbef1633b4d48b91b07091c22e8', '2020-01-01 00:00:00', -1);
INSERT INTO guardian_userobjectpermission VALUES (1, '7', 1, -1);
INSERT INTO guardian_groupobjectpermission VALUES (1, '7', 1, 1);
INSERT INTO account_emailaddress VALUES (1, 'archive@example.com', TRUE, 3);
INSERT INTO mfa_authenticator VALUES (1, 'totp', '{}', 3), (2, 'recovery_codes', '{}', 3);
INSERT INTO documents_uisettings VALUES (1, '{}', 3);
