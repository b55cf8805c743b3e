-- Like projects on an inherited schema (models with managed = False): a view has the names that Django wants, people
-- who have left are marked with a time, and keys refer to the table behind the view.

CREATE TABLE staff_file (
    staff_no integer PRIMARY KEY, pwd varchar(128) NOT NULL, seen timestamp with time zone, login varchar(150) NOT NULL UNIQUE,
    root boolean NOT NULL, hired timestamp with time zone NOT NULL, left_at timestamp with time zone
);
CREATE TABLE authtoken_token (
    key varchar(40) PRIMARY KEY, created timestamp with time zone NOT NULL, user_id integer NOT NULL UNIQUE REFERENCES staff_file (staff_no)
);

CREATE VIEW staff_user AS SELECT staff_no AS id, pwd AS password, seen AS last_login, login AS username, root AS is_superuser, TRUE AS is_staff,
    left_at IS NULL AS is_active, hired AS date_joined FROM staff_file;
INSERT INTO staff_file VALUES
    (11, '!', '2024-01-01 00:00:00', 'root', TRUE, '2020-01-01 00:00:00', NULL), (12, '!', NULL, 'ann', FALSE, '2020-01-01 00:00:00', NULL),
    (13, '!', NULL, 'gone', FALSE, '2020-01-01 00:00:00', '2023-01-01 00:00:00');
INSERT INTO authtoken_token VALUES ('a19f73cc4cbf4a3b11b8fd67ce6cbec7628388f1', '2020-01-01 00:00:00', 11), ('e4158bb74bb51645d4b851fbb081902a32fbc151', '2020-01-01 00:00:00', 12), ('01747384b4ec73250779faedb15ab130b9806ea4', '2020-01-01 00:00:00', 13);
