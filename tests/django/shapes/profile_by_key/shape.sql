-- Like django-SHOP: the profile's primary key is the user, and other tables refer to the profile.

CREATE TABLE email_auth_user (
    id integer PRIMARY KEY, password varchar(128) NOT NULL, last_login timestamp with time zone, is_superuser boolean NOT NULL,
    username varchar(30) NOT NULL UNIQUE, first_name varchar(30) NOT NULL, last_name varchar(150) NOT NULL, email varchar(254),
    is_staff boolean NOT NULL, is_active boolean NOT NULL, date_joined timestamp with time zone NOT NULL
);
CREATE TABLE auth_group (id integer PRIMARY KEY, name varchar(150) NOT NULL UNIQUE);
CREATE TABLE email_auth_user_groups (
    id integer PRIMARY KEY, user_id integer NOT NULL REFERENCES email_auth_user (id), group_id integer NOT NULL REFERENCES auth_group (id),
    UNIQUE (user_id, group_id)
);
CREATE TABLE authtoken_token (
    key varchar(40) PRIMARY KEY, created timestamp with time zone NOT NULL, user_id integer NOT NULL UNIQUE REFERENCES email_auth_user (id)
);

CREATE TABLE store_customer (
    user_id integer PRIMARY KEY REFERENCES email_auth_user (id), salutation varchar(5) NOT NULL, phone varchar(32), number integer UNIQUE,
    last_access timestamp with time zone NOT NULL, referred_by_id integer REFERENCES email_auth_user (id)
);
CREATE TABLE store_address (id integer PRIMARY KEY, city varchar(50) NOT NULL, customer_id integer NOT NULL REFERENCES store_customer (user_id));
INSERT INTO email_auth_user VALUES
    (1, '!', NULL, TRUE, 'keeper', '', '', 'keeper@example.com', TRUE, TRUE, '2020-01-01 00:00:00'),
    (2, '!', NULL, FALSE, 'u2xk91', 'Bea', '', 'bea@example.com', FALSE, TRUE, '2020-01-01 00:00:00'),
    (3, '!', NULL, FALSE, 'guest3', '', '', NULL, FALSE, FALSE, '2020-01-01 00:00:00');
INSERT INTO authtoken_token VALUES ('df091b969f46418f7ff7e8f9ea610bb9405950f0', '2020-01-01 00:00:00', 2);
INSERT INTO store_customer VALUES (1, 'mr', '+1-555-0110', 7, '2024-01-01 00:00:00', NULL), (2, 'mrs', '+1-555-0111', 8, '2024-01-01 00:00:00', 1), (3, 'na', NULL, NULL, '2024-01-01 00:00:00', 1);
INSERT INTO store_address VALUES (1, 'Lund', 2);
