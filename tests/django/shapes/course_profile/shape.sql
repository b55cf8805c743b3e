-- Like Open edX: a profile with one letter for the gender, cohorts that are groups of their own with members, keys of
-- OAuth, and tables with one row for each user that are no profile.

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

CREATE TABLE auth_userprofile (
    id integer PRIMARY KEY, user_id integer NOT NULL UNIQUE REFERENCES auth_user (id), name varchar(255) NOT NULL, gender varchar(6),
    phone_number varchar(50), year_of_birth integer, bio varchar(3000)
);
CREATE TABLE learn_pendingemailchange (
    id integer PRIMARY KEY, user_id integer NOT NULL UNIQUE REFERENCES auth_user (id), new_email varchar(255) NOT NULL, activation_key varchar(32) NOT NULL UNIQUE
);
CREATE TABLE learn_cohort (id integer PRIMARY KEY, name varchar(255) NOT NULL, course_id varchar(255) NOT NULL);
CREATE TABLE learn_cohort_users (
    id integer PRIMARY KEY, cohort_id integer NOT NULL REFERENCES learn_cohort (id), user_id integer NOT NULL REFERENCES auth_user (id)
);
CREATE TABLE learn_manualenrollment (
    id integer PRIMARY KEY, enrolled_by_id integer REFERENCES auth_user (id), user_id integer NOT NULL REFERENCES auth_user (id), reason text
);
CREATE TABLE oauth2_provider_accesstoken (
    id bigint PRIMARY KEY, token varchar(255) NOT NULL UNIQUE, expires timestamp with time zone NOT NULL, scope text NOT NULL,
    user_id integer REFERENCES auth_user (id), created timestamp with time zone NOT NULL
);
INSERT INTO auth_user VALUES
    (1, '!', NULL, TRUE, 'staff', '', '', 'staff@example.com', TRUE, TRUE, '2020-01-01 00:00:00'),
    (2, '!', NULL, FALSE, 'mona', '', '', 'mona@example.com', FALSE, TRUE, '2020-01-01 00:00:00'),
    (3, '!', NULL, FALSE, 'otto', '', '', 'otto@example.com', FALSE, TRUE, '2020-01-01 00:00:00'),
    (4, '!', NULL, FALSE, 'waiting', '', '', 'waiting@example.com', FALSE, FALSE, '2020-01-01 00:00:00');
INSERT INTO auth_group VALUES (1, 'Course creators');
INSERT INTO auth_user_groups VALUES (1, 1, 1);
INSERT INTO auth_userprofile VALUES (1, 2, 'Mona Ek', 'f', '+1-555-0142', 1990, NULL), (2, 3, 'Otto Ek', 'm', NULL, NULL, ''), (3, 1, 'Staff', 'o', '', NULL, NULL);
INSERT INTO learn_pendingemailchange VALUES (1, 4, 'new@example.com', '0123456789abcdef0123456789abcdef');
INSERT INTO learn_cohort VALUES (1, 'Default Group', 'course-1');
INSERT INTO learn_cohort_users VALUES (1, 1, 2);
INSERT INTO learn_manualenrollment VALUES (1, 1, 3, NULL);
INSERT INTO oauth2_provider_accesstoken VALUES (1, 'oauthkeyofmona00000000000000', '2099-01-01 00:00:00', 'read', 2, '2020-01-01 00:00:00');
