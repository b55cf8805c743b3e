-- Like projects that extend Django's user by multi-table inheritance (Satchmo's heirs, clubs' member lists): the
-- child's primary key is the reference to the parent, and tables refer to the child or to the parent.

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

CREATE TABLE club_member (
    user_ptr_id integer PRIMARY KEY REFERENCES auth_user (id), phone varchar(30), sex varchar(10), sponsor_id integer REFERENCES auth_user (id)
);
CREATE TABLE club_fee (id integer PRIMARY KEY, amount integer NOT NULL, member_id integer NOT NULL REFERENCES club_member (user_ptr_id));
INSERT INTO auth_user VALUES
    (1, '!', NULL, TRUE, 'chair', 'Cha', 'Ir', '', TRUE, TRUE, '2020-01-01 00:00:00'),
    (2, '!', NULL, FALSE, 'rower', 'Ro', 'Wer', '', FALSE, TRUE, '2020-01-01 00:00:00');
INSERT INTO authtoken_token VALUES ('d8cf9ff59e2713a2d38025cc0641805de4cc47e6', '2020-01-01 00:00:00', 2);
INSERT INTO club_member VALUES (2, '+1-555-0130', 'female', 1);
INSERT INTO club_fee VALUES (1, 10, 2);
