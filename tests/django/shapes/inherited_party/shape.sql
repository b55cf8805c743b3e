-- Like business systems with a table of parties (Tree.io's access entities): the users' table is a child whose primary
-- key is party_ptr_id, its names are in the parent, and keys and memberships refer to the child.

CREATE TABLE base_party (id integer PRIMARY KEY, kind varchar(10) NOT NULL, phone varchar(30), created_at timestamp with time zone NOT NULL);
CREATE TABLE hr_account (
    party_ptr_id integer PRIMARY KEY REFERENCES base_party (id), password varchar(128) NOT NULL, last_login timestamp with time zone,
    username varchar(150) NOT NULL UNIQUE, is_superuser boolean NOT NULL, is_staff boolean NOT NULL, is_active boolean NOT NULL,
    manager_id integer REFERENCES hr_account (party_ptr_id)
);
CREATE TABLE auth_group (id integer PRIMARY KEY, name varchar(150) NOT NULL UNIQUE);
CREATE TABLE hr_account_groups (
    id integer PRIMARY KEY, account_id integer NOT NULL REFERENCES hr_account (party_ptr_id), group_id integer NOT NULL REFERENCES auth_group (id)
);
CREATE TABLE authtoken_token (
    key varchar(40) PRIMARY KEY, created timestamp with time zone NOT NULL, user_id integer NOT NULL UNIQUE REFERENCES hr_account (party_ptr_id)
);

INSERT INTO base_party VALUES
    (4, 'company', NULL, '2019-01-01 00:00:00'), (5, 'person', '+1-555-0140', '2020-01-01 00:00:00'), (6, 'person', NULL, '2021-01-01 00:00:00');
INSERT INTO hr_account VALUES (5, '!', NULL, 'ceo', TRUE, TRUE, TRUE, NULL), (6, '!', NULL, 'temp', FALSE, TRUE, TRUE, 5);
INSERT INTO auth_group VALUES (1, 'Board');
INSERT INTO hr_account_groups VALUES (1, 5, 1);
INSERT INTO authtoken_token VALUES ('8ee803fc84ffe56d9355e39885267fe428994852', '2020-01-01 00:00:00', 5), ('6bf3b814bba71d59b983159bc1123c20708d5108', '2020-01-01 00:00:00', 6);
