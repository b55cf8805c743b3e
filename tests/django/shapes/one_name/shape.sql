-- Like projects made by Cookiecutter Django: one name, no first and last one, keys of Django REST Framework, the log
-- of Django's admin, and the tables of django-allauth.

CREATE TABLE users_user (
    id bigint PRIMARY KEY, password varchar(128) NOT NULL, last_login timestamp with time zone, is_superuser boolean NOT NULL,
    username varchar(150) NOT NULL UNIQUE, email varchar(254) NOT NULL, is_staff boolean NOT NULL, is_active boolean NOT NULL,
    date_joined timestamp with time zone NOT NULL, name varchar(255) NOT NULL
);
CREATE TABLE auth_group (id integer PRIMARY KEY, name varchar(150) NOT NULL UNIQUE);
CREATE TABLE users_user_groups (
    id integer PRIMARY KEY, user_id bigint NOT NULL REFERENCES users_user (id), group_id integer NOT NULL REFERENCES auth_group (id),
    UNIQUE (user_id, group_id)
);
CREATE TABLE authtoken_token (
    key varchar(40) PRIMARY KEY, created timestamp with time zone NOT NULL, user_id bigint NOT NULL UNIQUE REFERENCES users_user (id)
);

CREATE TABLE users_user_user_permissions (id bigint PRIMARY KEY, user_id bigint NOT NULL REFERENCES users_user (id), permission_id integer NOT NULL);
CREATE TABLE django_admin_log (
    id integer PRIMARY KEY, action_time timestamp with time zone NOT NULL, object_repr varchar(200) NOT NULL, user_id bigint NOT NULL REFERENCES users_user (id)
);
CREATE TABLE account_emailaddress (id integer PRIMARY KEY, email varchar(254) NOT NULL, verified boolean NOT NULL, user_id bigint NOT NULL REFERENCES users_user (id));
CREATE TABLE socialaccount_socialaccount (
    id integer PRIMARY KEY, provider varchar(200) NOT NULL, uid varchar(191) NOT NULL, extra_data text NOT NULL, user_id bigint NOT NULL REFERENCES users_user (id)
);
INSERT INTO users_user VALUES
    (1, '!', NULL, TRUE, 'dev', 'dev@example.com', TRUE, TRUE, '2020-01-01 00:00:00', 'Dee Vee'),
    (2, '!', NULL, FALSE, 'social', '', FALSE, TRUE, '2020-01-01 00:00:00', '');
INSERT INTO auth_group VALUES (1, 'Beta');
INSERT INTO users_user_groups VALUES (1, 2, 1);
INSERT INTO authtoken_token VALUES ('6fde2ebae2a69553b4fa8b5f515fd07051015537', '2020-01-01 00:00:00', 1);
INSERT INTO users_user_user_permissions VALUES (1, 2, 4);
INSERT INTO django_admin_log VALUES (1, '2020-01-01 00:00:00', 'x', 1);
INSERT INTO account_emailaddress VALUES (1, 'dev@example.com', TRUE, 1);
INSERT INTO socialaccount_socialaccount VALUES (1, 'example', '7', '{}', 2);
