-- Like Kolibri: primary keys of 32 characters, no e-mail addresses, the flag of admins in a table whose primary key is
-- the user, roles and memberships of collections, and words for the gender.

CREATE TABLE school_collection (id char(32) PRIMARY KEY, name varchar(100) NOT NULL, kind varchar(20) NOT NULL, parent_id char(32) REFERENCES school_collection (id));
CREATE TABLE school_user (
    id char(32) PRIMARY KEY, password varchar(128) NOT NULL, last_login timestamp with time zone, username varchar(254) NOT NULL, full_name varchar(120) NOT NULL,
    date_joined timestamp with time zone NOT NULL, gender varchar(16), birth_year varchar(16), facility_id char(32) NOT NULL REFERENCES school_collection (id)
);
CREATE TABLE school_membership (id char(32) PRIMARY KEY, user_id char(32) NOT NULL REFERENCES school_user (id), collection_id char(32) NOT NULL REFERENCES school_collection (id));
CREATE TABLE school_role (id char(32) PRIMARY KEY, kind varchar(26) NOT NULL, user_id char(32) NOT NULL REFERENCES school_user (id), collection_id char(32) NOT NULL REFERENCES school_collection (id));
CREATE TABLE device_permissions (user_id char(32) PRIMARY KEY REFERENCES school_user (id), is_superuser boolean NOT NULL, can_manage_content boolean NOT NULL);
INSERT INTO school_collection VALUES
    ('c0000000000000000000000000000001', 'Village school', 'facility', NULL), ('c0000000000000000000000000000002', 'Class 3', 'classroom', 'c0000000000000000000000000000001');
INSERT INTO school_user VALUES
    ('a0000000000000000000000000000001', '!', NULL, 'coach', 'Coach', '2020-01-01 00:00:00', 'FEMALE', '1980', 'c0000000000000000000000000000001'),
    ('a0000000000000000000000000000002', '!', NULL, 'pupil', 'Pupil', '2020-01-01 00:00:00', NULL, NULL, 'c0000000000000000000000000000001');
INSERT INTO school_membership VALUES ('b0000000000000000000000000000001', 'a0000000000000000000000000000002', 'c0000000000000000000000000000002');
INSERT INTO school_role VALUES ('d0000000000000000000000000000001', 'coach', 'a0000000000000000000000000000001', 'c0000000000000000000000000000002');
INSERT INTO device_permissions VALUES ('a0000000000000000000000000000001', TRUE, TRUE);
