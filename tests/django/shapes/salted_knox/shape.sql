-- Like projects with django-rest-knox before 4.2: each key has a salt, so its digest can no longer be found. These
-- keys end with the move.

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

CREATE TABLE knox_authtoken (
    digest varchar(128) PRIMARY KEY, salt varchar(16) NOT NULL UNIQUE, created timestamp with time zone NOT NULL,
    user_id integer NOT NULL REFERENCES auth_user (id), expiry timestamp with time zone, token_key varchar(8) NOT NULL
);
INSERT INTO auth_user VALUES
    (1, '!', NULL, TRUE, 'sol', '', '', '', TRUE, TRUE, '2020-01-01 00:00:00'), (2, '!', NULL, FALSE, 'mar', '', '', '', TRUE, TRUE, '2020-01-01 00:00:00');
INSERT INTO knox_authtoken VALUES
    ('7f0be15467d419808f0ab75a0e8ff82af7c31f804d3db368e76e0bc67f6c054f35728182ad6a702faec33a9f1c8321e24c5268d5d99ddd81dc6f5c68deb97fc3',
        '0011223344556677', '2024-01-01 00:00:00', 2, NULL, 'b95ed458');
