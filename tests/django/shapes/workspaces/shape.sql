-- Like Baserow: an e-mail address as username, workspaces with members, invitations with a key to a user, keys of a
-- database of 32 characters that belong to a person and a workspace, and people who wait for their deletion.

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

CREATE TABLE core_workspace (id integer PRIMARY KEY, name varchar(165) NOT NULL);
CREATE TABLE core_userprofile (
    id integer PRIMARY KEY, language varchar(10) NOT NULL, to_be_deleted boolean NOT NULL, email_verified boolean NOT NULL, user_id integer NOT NULL UNIQUE REFERENCES auth_user (id)
);
CREATE TABLE core_workspaceuser (
    id integer PRIMARY KEY, permissions varchar(32) NOT NULL, user_id integer NOT NULL REFERENCES auth_user (id), workspace_id integer NOT NULL REFERENCES core_workspace (id)
);
CREATE TABLE core_workspaceinvitation (
    id integer PRIMARY KEY, email varchar(254) NOT NULL, invited_by_id integer NOT NULL REFERENCES auth_user (id), workspace_id integer NOT NULL REFERENCES core_workspace (id)
);
CREATE TABLE database_token (
    id integer PRIMARY KEY, name varchar(100) NOT NULL, key varchar(32) NOT NULL UNIQUE, created timestamp with time zone NOT NULL,
    user_id integer NOT NULL REFERENCES auth_user (id), workspace_id integer NOT NULL REFERENCES core_workspace (id)
);
INSERT INTO auth_user VALUES
    (1, '!', NULL, TRUE, 'vera@example.com', 'Vera', '', 'vera@example.com', TRUE, TRUE, '2020-01-01 00:00:00'),
    (2, '!', NULL, FALSE, 'leaving@example.com', 'Leaving', '', 'leaving@example.com', FALSE, TRUE, '2020-01-01 00:00:00');
INSERT INTO core_workspace VALUES (1, 'Stock');
INSERT INTO core_userprofile VALUES (1, 'en', FALSE, TRUE, 1), (2, 'en', TRUE, TRUE, 2);
INSERT INTO core_workspaceuser VALUES (1, 'ADMIN', 1, 1), (2, 'MEMBER', 2, 1);
INSERT INTO core_workspaceinvitation VALUES (1, 'new@example.com', 1, 1);
INSERT INTO database_token VALUES (1, 'sheet', 'Vq3ExampleKeyOfVera0000000000001', '2024-01-01 00:00:00', 1, 1), (2, 'sheet', 'Vq3ExampleKeyOfLeaving0000000002', '2024-01-01 00:00:00', 2, 1);
