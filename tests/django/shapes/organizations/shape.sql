-- Like Sentry: one name for a person, members of organizations with two keys to users, second factors of the project's
-- own, addresses in a table, and keys whose table Django REST Framework does not know.

CREATE TABLE auth_user (
    id bigint PRIMARY KEY, password varchar(128) NOT NULL, last_login timestamp with time zone, username varchar(128) NOT NULL UNIQUE,
    name varchar(200) NOT NULL, email varchar(75) NOT NULL, is_staff boolean NOT NULL, is_active boolean NOT NULL, is_superuser boolean NOT NULL,
    is_managed boolean NOT NULL, is_app boolean, date_joined timestamp with time zone NOT NULL, session_nonce varchar(12)
);
CREATE TABLE watch_organization (id bigint PRIMARY KEY, slug varchar(50) NOT NULL UNIQUE);
CREATE TABLE watch_organizationmember (
    id bigint PRIMARY KEY, organization_id bigint NOT NULL REFERENCES watch_organization (id), user_id bigint REFERENCES auth_user (id),
    inviter_id bigint REFERENCES auth_user (id), email varchar(75), role varchar(32) NOT NULL, UNIQUE (organization_id, user_id)
);
CREATE TABLE watch_useremail (
    id bigint PRIMARY KEY, user_id bigint NOT NULL REFERENCES auth_user (id), email varchar(75) NOT NULL, is_verified boolean NOT NULL, UNIQUE (user_id, email)
);
CREATE TABLE auth_authenticator (
    id bigint PRIMARY KEY, user_id bigint NOT NULL REFERENCES auth_user (id), type integer NOT NULL, config text NOT NULL, created_at timestamp with time zone NOT NULL,
    UNIQUE (user_id, type)
);
CREATE TABLE watch_apitoken (
    id bigint PRIMARY KEY, user_id bigint NOT NULL REFERENCES auth_user (id), token varchar(71) NOT NULL UNIQUE, refresh_token varchar(71) UNIQUE,
    expires_at timestamp with time zone, date_added timestamp with time zone NOT NULL, scope_list text
);
INSERT INTO auth_user VALUES
    (100000000001, '!', NULL, 'ada@example.com', 'Ada Ruiz', 'ada@example.com', TRUE, TRUE, TRUE, FALSE, NULL, '2020-01-01 00:00:00', 'x'),
    (100000000002, '!', NULL, 'app-7', '', '', FALSE, TRUE, FALSE, FALSE, TRUE, '2020-01-01 00:00:00', NULL);
INSERT INTO watch_organization VALUES (1, 'acme');
INSERT INTO watch_organizationmember VALUES (1, 1, 100000000001, NULL, NULL, 'owner'), (2, 1, NULL, 100000000001, 'new@example.com', 'member');
INSERT INTO watch_useremail VALUES (1, 100000000001, 'ada@example.com', TRUE), (2, 100000000001, 'ada@home.example.com', FALSE);
INSERT INTO auth_authenticator VALUES (1, 100000000001, 1, '', '2020-01-01 00:00:00'), (2, 100000000001, 0, '', '2020-01-01 00:00:00');
INSERT INTO watch_apitoken VALUES
    (1, 100000000001, '1f2e3d4c5b6a79880f1e2d3c4b5a69781f2e3d4c5b6a79880f1e2d3c4b5a6978', NULL, NULL, '2020-01-01 00:00:00', 'event:read'),
    (2, 100000000002, '2f2e3d4c5b6a79880f1e2d3c4b5a69781f2e3d4c5b6a79880f1e2d3c4b5a6978', 'refresh2', '2020-02-01 00:00:00', '2020-01-01 00:00:00', NULL);
