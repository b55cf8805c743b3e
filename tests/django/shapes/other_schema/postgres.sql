-- Like django-tenants: the tables of Django are in a schema of their own, and the schema of the search path has other
-- tables. SQLite has no schemas: there, the tables are by themselves.

CREATE SCHEMA backoffice;
CREATE TABLE backoffice.auth_user (
    id integer PRIMARY KEY, password varchar(128) NOT NULL, last_login timestamp with time zone, is_superuser boolean NOT NULL,
    username varchar(150) NOT NULL UNIQUE, first_name varchar(150) NOT NULL, last_name varchar(150) NOT NULL, email varchar(254) NOT NULL,
    is_staff boolean NOT NULL, is_active boolean NOT NULL, date_joined timestamp with time zone NOT NULL
);
CREATE TABLE backoffice.auth_group (id integer PRIMARY KEY, name varchar(150) NOT NULL UNIQUE);
CREATE TABLE backoffice.auth_user_groups (
    id integer PRIMARY KEY, user_id integer NOT NULL REFERENCES backoffice.auth_user (id), group_id integer NOT NULL REFERENCES backoffice.auth_group (id)
);
CREATE TABLE backoffice.authtoken_token (key varchar(40) PRIMARY KEY, created timestamp with time zone NOT NULL, user_id integer NOT NULL UNIQUE REFERENCES backoffice.auth_user (id));
CREATE TABLE clients_tenant (id integer PRIMARY KEY, schema_name varchar(63) NOT NULL UNIQUE);
CREATE TABLE backoffice.desk_ticket (id integer PRIMARY KEY, owner_id integer NOT NULL REFERENCES backoffice.auth_user (id));
INSERT INTO clients_tenant VALUES (1, 'backoffice');
INSERT INTO backoffice.auth_user VALUES
    (1, '!', NULL, TRUE, 'tenant-admin', '', '', '', TRUE, TRUE, '2020-01-01 00:00:00'), (2, '!', NULL, FALSE, 'tenant-user', '', '', '', TRUE, TRUE, '2020-01-01 00:00:00');
INSERT INTO backoffice.auth_group VALUES (1, 'Tenants');
INSERT INTO backoffice.auth_user_groups VALUES (1, 2, 1);
INSERT INTO backoffice.authtoken_token VALUES ('184eab8a034cde253886dbebd23435b044ecfe1b', '2020-01-01 00:00:00', 2);
