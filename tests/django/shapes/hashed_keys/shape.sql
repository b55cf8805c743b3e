-- Like PostHog: no username, a UUID beside the whole number, and personal keys of which only a digest is kept. They
-- cannot go on working, and a digest must not become one, even if its table is named. Devices of django-otp are second
-- factors.

CREATE TABLE metric_user (
    id integer PRIMARY KEY, password varchar(128) NOT NULL, last_login timestamp with time zone, is_superuser boolean NOT NULL,
    first_name varchar(150) NOT NULL, last_name varchar(150) NOT NULL, is_staff boolean NOT NULL, is_active boolean NOT NULL,
    date_joined timestamp with time zone NOT NULL, uuid varchar(36) NOT NULL UNIQUE, email varchar(254) NOT NULL UNIQUE,
    distinct_id varchar(200) UNIQUE, temporary_token varchar(200) UNIQUE, is_email_verified boolean
);
CREATE TABLE auth_group (id integer PRIMARY KEY, name varchar(150) NOT NULL UNIQUE);
CREATE TABLE metric_user_groups (
    id integer PRIMARY KEY, user_id integer NOT NULL REFERENCES metric_user (id), group_id integer NOT NULL REFERENCES auth_group (id),
    UNIQUE (user_id, group_id)
);

CREATE TABLE metric_personalapikey (
    id varchar(50) PRIMARY KEY, label varchar(40) NOT NULL, value varchar(50), secure_value varchar(300) UNIQUE,
    created_at timestamp with time zone NOT NULL, user_id integer NOT NULL REFERENCES metric_user (id)
);
CREATE TABLE metric_organizationmembership (
    id varchar(36) PRIMARY KEY, level smallint NOT NULL, organization_id varchar(36) NOT NULL, user_id integer NOT NULL REFERENCES metric_user (id)
);
CREATE TABLE otp_totp_totpdevice (
    id integer PRIMARY KEY, name varchar(64) NOT NULL, confirmed boolean NOT NULL, key varchar(80) NOT NULL, user_id integer NOT NULL REFERENCES metric_user (id)
);
INSERT INTO metric_user VALUES
    (1, '!', NULL, FALSE, 'Sami', '', TRUE, TRUE, '2020-01-01 00:00:00', '00000000-0000-4000-8000-000000000001', 'sami@example.com', 'd1', NULL, NULL),
    (2, '!', NULL, FALSE, 'Kira', '', FALSE, TRUE, '2020-01-01 00:00:00', '00000000-0000-4000-8000-000000000002', 'kira@example.com', 'd2', 'tmp-2', TRUE);
INSERT INTO metric_personalapikey VALUES ('k1', 'cli', NULL, 'sha256$5c3b1a09f8e7d6c5b4a392817065f4e3d2c1b0a99887766554433221100ffee0', '2020-01-01 00:00:00', 2);
INSERT INTO metric_organizationmembership VALUES ('m1', 15, 'o1', 1), ('m2', 1, 'o1', 2);
INSERT INTO otp_totp_totpdevice VALUES (1, 'phone', TRUE, 'c0ffee', 2), (2, 'old', FALSE, 'c0ffee', 1);
