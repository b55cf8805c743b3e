-- Like shops and taxi services whose people sign in with a phone number: no username, addresses that are null, and a
-- code by SMS that is kept in the users' row.

CREATE TABLE accounts_user (
    id integer PRIMARY KEY, password varchar(128) NOT NULL, last_login timestamp with time zone, is_superuser boolean NOT NULL,
    phone_number varchar(16) NOT NULL UNIQUE, email varchar(254) UNIQUE, full_name varchar(100) NOT NULL, is_staff boolean NOT NULL,
    is_active boolean NOT NULL, date_joined timestamp with time zone NOT NULL, otp varchar(6), otp_sent_at timestamp with time zone
);
CREATE TABLE auth_group (id integer PRIMARY KEY, name varchar(150) NOT NULL UNIQUE);
CREATE TABLE accounts_user_groups (
    id integer PRIMARY KEY, user_id integer NOT NULL REFERENCES accounts_user (id), group_id integer NOT NULL REFERENCES auth_group (id),
    UNIQUE (user_id, group_id)
);
CREATE TABLE authtoken_token (
    key varchar(40) PRIMARY KEY, created timestamp with time zone NOT NULL, user_id integer NOT NULL UNIQUE REFERENCES accounts_user (id)
);

CREATE TABLE accounts_devicetoken (id integer PRIMARY KEY, token varchar(255) NOT NULL, user_id integer NOT NULL REFERENCES accounts_user (id));
INSERT INTO accounts_user VALUES
    (1, '!', NULL, TRUE, '+15550160', 'desk@example.com', 'Desk', TRUE, TRUE, '2020-01-01 00:00:00', NULL, NULL),
    (2, '!', NULL, FALSE, '+15550161', NULL, 'Driver', FALSE, TRUE, '2020-01-01 00:00:00', '123456', '2024-01-01 00:00:00');
INSERT INTO auth_group VALUES (1, 'Drivers');
INSERT INTO accounts_user_groups VALUES (1, 2, 1);
INSERT INTO authtoken_token VALUES ('ef9945bdebfec3bbca0555a95372b53eed78de60', '2020-01-01 00:00:00', 2);
INSERT INTO accounts_devicetoken VALUES (1, 'push-token', 2);
