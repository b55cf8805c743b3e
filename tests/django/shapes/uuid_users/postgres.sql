-- Like Plane: every primary key is a UUID (of 32 characters in SQLite, as Django stores it), each table has three keys
-- to users, and keys can be switched off. Wardroom's ids are whole numbers, so the people come without theirs.

CREATE TABLE users (
    id uuid PRIMARY KEY, password varchar(128) NOT NULL, last_login timestamp with time zone, username varchar(128) NOT NULL UNIQUE,
    mobile_number varchar(255), email varchar(255) UNIQUE, first_name varchar(255) NOT NULL, last_name varchar(255) NOT NULL, avatar text NOT NULL,
    date_joined timestamp with time zone NOT NULL, created_at timestamp with time zone NOT NULL, updated_at timestamp with time zone NOT NULL,
    is_superuser boolean NOT NULL, is_staff boolean NOT NULL, is_active boolean NOT NULL, is_bot boolean NOT NULL, token varchar(64) NOT NULL
);
CREATE TABLE workspaces (id uuid PRIMARY KEY, name varchar(80) NOT NULL, owner_id uuid NOT NULL REFERENCES users (id));
CREATE TABLE workspace_members (
    id uuid PRIMARY KEY, role smallint NOT NULL, member_id uuid NOT NULL REFERENCES users (id), workspace_id uuid NOT NULL REFERENCES workspaces (id),
    created_by_id uuid REFERENCES users (id), updated_by_id uuid REFERENCES users (id), deleted_at timestamp with time zone
);
CREATE TABLE profiles (id uuid PRIMARY KEY, theme text NOT NULL, user_id uuid NOT NULL UNIQUE REFERENCES users (id));
CREATE TABLE api_tokens (
    id uuid PRIMARY KEY, label varchar(255) NOT NULL, token varchar(255) NOT NULL UNIQUE, is_active boolean NOT NULL, created_at timestamp with time zone NOT NULL,
    expired_at timestamp with time zone, user_id uuid NOT NULL REFERENCES users (id), created_by_id uuid REFERENCES users (id), updated_by_id uuid REFERENCES users (id)
);
INSERT INTO users VALUES
    ('10000000-0000-4000-8000-000000000001', '!', NULL, 'q7', '+1-555-0171', 'quinn@example.com', 'Quinn', 'Abe', '', '2020-01-01 00:00:00', '2020-01-01 00:00:00', '2024-01-01 00:00:00', TRUE, TRUE, TRUE, FALSE, 'x'),
    ('20000000-0000-4000-8000-000000000002', '!', NULL, 'r8', NULL, NULL, 'Rina', '', 'https://cdn.example.com/r.png', '2020-01-01 00:00:00', '2020-01-01 00:00:00', '2024-01-01 00:00:00', FALSE, FALSE, TRUE, FALSE, 'y'),
    ('30000000-0000-4000-8000-000000000003', '!', NULL, 'bot', NULL, NULL, '', '', '', '2020-01-01 00:00:00', '2020-01-01 00:00:00', '2024-01-01 00:00:00', FALSE, FALSE, FALSE, TRUE, '');
INSERT INTO workspaces VALUES ('40000000-0000-4000-8000-000000000004', 'Harbour', '10000000-0000-4000-8000-000000000001');
INSERT INTO workspace_members VALUES ('50000000-0000-4000-8000-000000000005', 20, '10000000-0000-4000-8000-000000000001', '40000000-0000-4000-8000-000000000004', NULL, NULL, NULL), ('60000000-0000-4000-8000-000000000006', 5, '20000000-0000-4000-8000-000000000002', '40000000-0000-4000-8000-000000000004', '10000000-0000-4000-8000-000000000001', '10000000-0000-4000-8000-000000000001', NULL);
INSERT INTO profiles VALUES ('70000000-0000-4000-8000-000000000007', '{}', '10000000-0000-4000-8000-000000000001');
INSERT INTO api_tokens VALUES
    ('80000000-0000-4000-8000-000000000008', 'cli', 'pm_api_5bf0301bd38259868f6ce0b212ebd92097d3d211', TRUE, '2024-01-01 00:00:00', NULL, '10000000-0000-4000-8000-000000000001', '10000000-0000-4000-8000-000000000001', NULL),
    ('90000000-0000-4000-8000-000000000009', 'for rina', 'pm_api_3223105fdd7c2fa5d3a5159eb27517e5c491481e', TRUE, '2024-01-01 00:00:00', '2099-01-01 00:00:00', '20000000-0000-4000-8000-000000000002', '10000000-0000-4000-8000-000000000001', '10000000-0000-4000-8000-000000000001'),
    ('a0000000-0000-4000-8000-00000000000a', 'off', 'pm_api_4cacbb71e04ddcefdc997374d9e4ed0269660179', FALSE, '2024-01-01 00:00:00', NULL, '10000000-0000-4000-8000-000000000001', '10000000-0000-4000-8000-000000000001', NULL),
    ('b0000000-0000-4000-8000-00000000000b', 'over', 'pm_api_2ffe86d3f6f4ed2c48c807451b9d52c096789170', TRUE, '2024-01-01 00:00:00', '2024-02-01 00:00:00', '20000000-0000-4000-8000-000000000002', '20000000-0000-4000-8000-000000000002', NULL);
