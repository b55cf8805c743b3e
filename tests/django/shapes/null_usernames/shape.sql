-- Like BookWyrm: people of other servers have no username, the secret of a second factor is in the users' row, people
-- follow each other, and groups with an owner have members and invitations.

CREATE TABLE book_user (
    id integer PRIMARY KEY, password varchar(128) NOT NULL, last_login timestamp with time zone, is_superuser boolean NOT NULL,
    username varchar(150) UNIQUE, localname varchar(255) UNIQUE, email varchar(254) UNIQUE, name varchar(100), avatar varchar(100), is_staff boolean NOT NULL,
    is_active boolean NOT NULL, date_joined timestamp with time zone NOT NULL, local boolean NOT NULL, remote_id varchar(255), two_factor_auth boolean,
    otp_secret varchar(32), deactivation_date timestamp with time zone
);
CREATE TABLE auth_group (id integer PRIMARY KEY, name varchar(150) NOT NULL UNIQUE);
CREATE TABLE book_user_groups (
    id integer PRIMARY KEY, user_id integer NOT NULL REFERENCES book_user (id), group_id integer NOT NULL REFERENCES auth_group (id),
    UNIQUE (user_id, group_id)
);

CREATE TABLE book_userfollows (id integer PRIMARY KEY, user_subject_id integer NOT NULL REFERENCES book_user (id), user_object_id integer NOT NULL REFERENCES book_user (id));
CREATE TABLE book_group (id integer PRIMARY KEY, name varchar(100) NOT NULL, user_id integer NOT NULL REFERENCES book_user (id));
CREATE TABLE book_groupmember (
    id integer PRIMARY KEY, created_date timestamp with time zone NOT NULL, group_id integer NOT NULL REFERENCES book_group (id), user_id integer NOT NULL REFERENCES book_user (id)
);
CREATE TABLE book_groupmemberinvitation (
    id integer PRIMARY KEY, created_date timestamp with time zone NOT NULL, group_id integer NOT NULL REFERENCES book_group (id), user_id integer NOT NULL REFERENCES book_user (id)
);
INSERT INTO book_user VALUES
    (1, '!', NULL, TRUE, 'ines@books.example.com', 'ines', 'ines@example.com', 'Ines', 'avatars/i.png', TRUE, TRUE, '2020-01-01 00:00:00', TRUE, NULL, TRUE, 'GEZDGNBVGY3TQOJQ', NULL),
    (2, '!', NULL, FALSE, 'raul@books.example.com', 'raul', NULL, NULL, NULL, FALSE, TRUE, '2020-01-01 00:00:00', TRUE, NULL, FALSE, NULL, NULL),
    (3, '!', NULL, FALSE, NULL, NULL, NULL, 'Far', '', FALSE, TRUE, '2020-01-01 00:00:00', FALSE, 'https://far.example.com/u/1', NULL, NULL, NULL),
    (4, '!', NULL, FALSE, NULL, NULL, NULL, NULL, '', FALSE, TRUE, '2020-01-01 00:00:00', FALSE, 'https://far.example.com/u/2', NULL, NULL, NULL);
INSERT INTO auth_group VALUES (1, 'editor'), (2, 'moderator');
INSERT INTO book_user_groups VALUES (1, 1, 2), (2, 2, 1), (3, 3, 1);
INSERT INTO book_userfollows VALUES (1, 2, 3);
INSERT INTO book_group VALUES (1, 'Readers of maps', 1);
INSERT INTO book_groupmember VALUES (1, '2020-01-01 00:00:00', 1, 2);
INSERT INTO book_groupmemberinvitation VALUES (1, '2020-01-01 00:00:00', 1, 3);
