-- Like Saleor: e-mail addresses as usernames, a UUID beside the whole number, a table of groups of the project's own
-- that Django's table of memberships refers to, and no is_superuser: a group of people may do everything.

CREATE TABLE shop_address (id integer PRIMARY KEY, phone varchar(128) NOT NULL, city varchar(256) NOT NULL);
CREATE TABLE account_user (
    id integer PRIMARY KEY, uuid varchar(36) NOT NULL UNIQUE, password varchar(128) NOT NULL, last_login timestamp with time zone,
    email varchar(254) NOT NULL UNIQUE, first_name varchar(256) NOT NULL, last_name varchar(256) NOT NULL, is_staff boolean NOT NULL,
    is_active boolean NOT NULL, is_confirmed boolean NOT NULL, date_joined timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL, note text, language_code varchar(35) NOT NULL, jwt_token_key varchar(12) NOT NULL,
    avatar varchar(100), default_billing_address_id integer REFERENCES shop_address (id)
);
CREATE TABLE account_group (id integer PRIMARY KEY, name varchar(150) NOT NULL UNIQUE, restricted_access_to_channels boolean NOT NULL);
CREATE TABLE account_user_groups (
    id integer PRIMARY KEY, user_id integer NOT NULL REFERENCES account_user (id), group_id integer NOT NULL REFERENCES account_group (id),
    UNIQUE (user_id, group_id)
);
CREATE TABLE account_user_addresses (
    id integer PRIMARY KEY, user_id integer NOT NULL REFERENCES account_user (id), address_id integer NOT NULL REFERENCES shop_address (id)
);
CREATE TABLE account_customerevent (id integer PRIMARY KEY, type varchar(255) NOT NULL, user_id integer REFERENCES account_user (id));
CREATE TABLE account_group_channels (id integer PRIMARY KEY, group_id integer NOT NULL REFERENCES account_group (id), channel_id integer NOT NULL);
INSERT INTO shop_address VALUES (1, '+15550150', 'Lund');
INSERT INTO account_user VALUES
    (1, '00000000-0000-4000-8000-000000000001', '!', '2024-05-06 07:08:09.000010', 'owner@example.com', 'Own', 'Er', TRUE, TRUE, TRUE, '2020-01-01 00:00:00', '2024-01-01 00:00:00', NULL, 'en', 'a', 'user-avatars/o.jpg', 1),
    (2, '00000000-0000-4000-8000-000000000002', '!', NULL, 'clerk@example.com', '', '', TRUE, TRUE, TRUE, '2020-01-01 00:00:00', '2024-01-01 00:00:00', 'often late', 'en', 'b', NULL, NULL),
    (3, '00000000-0000-4000-8000-000000000003', '!', NULL, 'Buyer@Example.com', 'B', '', FALSE, TRUE, FALSE, '2020-01-01 00:00:00', '2024-01-01 00:00:00', NULL, 'en', 'c', '', NULL);
INSERT INTO account_group VALUES (1, 'Full Access', FALSE), (2, 'Orders', TRUE);
INSERT INTO account_user_groups VALUES (1, 1, 1), (2, 2, 2);
INSERT INTO account_user_addresses VALUES (1, 1, 1);
INSERT INTO account_customerevent VALUES (1, 'account_created', 3);
INSERT INTO account_group_channels VALUES (1, 2, 1);
