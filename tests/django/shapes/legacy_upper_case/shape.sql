-- Like models written for a legacy database with inspectdb: names in capitals, a key that is called USER_ID, flags as
-- text, and references that no one declared.

CREATE TABLE "PERSON" (
    "USER_ID" integer PRIMARY KEY, "LOGIN" varchar(60) NOT NULL UNIQUE, "PASSWORD" varchar(128) NOT NULL, "LAST_LOGIN" timestamp with time zone,
    "MAIL" varchar(100), "MOBILE" varchar(30), "IS_SUPERUSER" varchar(1) NOT NULL, "IS_STAFF" varchar(3) NOT NULL, "IS_ACTIVE" smallint NOT NULL
);
CREATE TABLE "PERSON_GROUPS" ("ID" integer PRIMARY KEY, "USER_ID" integer NOT NULL, "GROUP_ID" integer NOT NULL);
CREATE TABLE auth_group (id integer PRIMARY KEY, name varchar(150) NOT NULL UNIQUE);
CREATE TABLE authtoken_token (key varchar(40) PRIMARY KEY, created timestamp with time zone NOT NULL, user_id integer NOT NULL UNIQUE);
INSERT INTO "PERSON" VALUES
    (7, 'WILMA', '!', NULL, 'wilma@example.com', '+1-555-0107', 'Y', 'Yes', 1), (8, 'FRED', '!', NULL, NULL, NULL, 'N', 'YES', 1);
INSERT INTO "PERSON_GROUPS" VALUES (1, 8, 1);
INSERT INTO auth_group VALUES (1, 'Quarry');
INSERT INTO authtoken_token VALUES ('884675216be703ef4f4dbad0998f066a70c58d88', '2020-01-01 00:00:00', 7), ('061d4160b33a92a7fd5db80558aec50e1faf24ec', '2020-01-01 00:00:00', 8);
