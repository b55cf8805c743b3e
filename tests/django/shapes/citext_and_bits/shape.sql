-- Like GlitchTip: an e-mail address as username, here of the type citext, options as JSON, keys with rights as bits,
-- second factors with keys of the project's own.

CREATE TABLE users_user (
    id bigint PRIMARY KEY, password varchar(128) NOT NULL, last_login timestamp with time zone, is_superuser boolean NOT NULL,
    email citext NOT NULL UNIQUE, name varchar(255) NOT NULL, is_staff boolean NOT NULL, is_active boolean NOT NULL,
    created timestamp with time zone NOT NULL, subscribe_by_default boolean NOT NULL, options text NOT NULL
);
CREATE TABLE api_tokens_apitoken (
    id bigint PRIMARY KEY, created timestamp with time zone NOT NULL, token varchar(64) NOT NULL UNIQUE, label varchar(255) NOT NULL,
    scopes bigint NOT NULL, user_id bigint NOT NULL REFERENCES users_user (id)
);
CREATE TABLE organizations_ext_organizationuser (
    id bigint PRIMARY KEY, organization_id bigint NOT NULL, user_id bigint REFERENCES users_user (id), role smallint NOT NULL, email citext
);
CREATE TABLE django_rest_mfa_userkey (id bigint PRIMARY KEY, name varchar(80) NOT NULL, properties text NOT NULL, key_type varchar(40) NOT NULL, user_id bigint NOT NULL REFERENCES users_user (id));
INSERT INTO users_user VALUES
    (1, '!', NULL, TRUE, 'Jo@Example.com', 'Jo', TRUE, TRUE, '2020-01-01 00:00:00', TRUE, '{}'),
    (2, '!', NULL, FALSE, 'kay@example.com', '', FALSE, TRUE, '2020-01-02 00:00:00', TRUE, '{}');
INSERT INTO api_tokens_apitoken VALUES (1, '2024-01-01 00:00:00', '9f7061d8907f34698cacc129755e96db01388b79', 'ci', 255, 1), (2, '2024-01-01 00:00:00', 'df751405a9af64b508414be7b8156fc85177eed9', '', 0, 2);
INSERT INTO organizations_ext_organizationuser VALUES (1, 1, 1, 3, NULL), (2, 1, NULL, 0, 'new@example.com');
INSERT INTO django_rest_mfa_userkey VALUES (1, 'phone', '{}', 'TOTP', 1);
