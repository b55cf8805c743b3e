-- Like Mayan EDMS: roles are given to groups, a secret of a second factor and several tables have one row for each
-- user.

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

CREATE TABLE permissions_role (id integer PRIMARY KEY, label varchar(128) NOT NULL UNIQUE);
CREATE TABLE permissions_role_groups (
    id integer PRIMARY KEY, role_id integer NOT NULL REFERENCES permissions_role (id), group_id integer NOT NULL REFERENCES auth_group (id)
);
CREATE TABLE authentication_otp_userotpdata (id integer PRIMARY KEY, secret varchar(96) NOT NULL, user_id integer NOT NULL UNIQUE REFERENCES auth_user (id));
CREATE TABLE user_management_useroptions (id integer PRIMARY KEY, block_password_change boolean NOT NULL, user_id integer NOT NULL UNIQUE REFERENCES auth_user (id));
CREATE TABLE common_userlocaleprofile (id integer PRIMARY KEY, timezone varchar(48) NOT NULL, language varchar(8) NOT NULL, user_id integer NOT NULL UNIQUE REFERENCES auth_user (id));
CREATE TABLE quotas_quota_filter_groups (id integer PRIMARY KEY, quota_id integer NOT NULL, group_id integer NOT NULL REFERENCES auth_group (id));
INSERT INTO auth_user VALUES
    (1, '!', NULL, TRUE, 'admin', '', '', '', TRUE, TRUE, '2020-01-01 00:00:00'),
    (2, '!', NULL, FALSE, 'clerk', '', '', '', FALSE, TRUE, '2020-01-01 00:00:00');
INSERT INTO auth_group VALUES (1, 'Clerks');
INSERT INTO auth_user_groups VALUES (1, 2, 1);
INSERT INTO authtoken_token VALUES ('00dd415c3935416fa9349fa861faf9c5052bc697', '2020-01-01 00:00:00', 2);
INSERT INTO permissions_role VALUES (1, 'Read');
INSERT INTO permissions_role_groups VALUES (1, 1, 1);
INSERT INTO authentication_otp_userotpdata VALUES (1, 'GEZDGNBVGY3TQOJQ', 2), (2, '', 1);
INSERT INTO user_management_useroptions VALUES (1, TRUE, 1);
INSERT INTO common_userlocaleprofile VALUES (1, 'UTC', 'en', 1);
INSERT INTO quotas_quota_filter_groups VALUES (1, 1, 1);
