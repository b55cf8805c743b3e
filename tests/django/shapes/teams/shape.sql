-- Like pretix: teams with members in place of groups, invitations and keys of teams, full names in one column, no
-- is_superuser, and second factors in three tables.

CREATE TABLE ticket_user (
    id integer PRIMARY KEY, password varchar(128) NOT NULL, last_login timestamp with time zone, email varchar(190) UNIQUE, fullname varchar(255),
    is_active boolean NOT NULL, is_staff boolean NOT NULL, date_joined timestamp with time zone NOT NULL, require_2fa boolean NOT NULL,
    session_token varchar(32) NOT NULL, needs_password_change boolean NOT NULL
);
CREATE TABLE ticket_team (id integer PRIMARY KEY, name varchar(190) NOT NULL, organizer_id integer NOT NULL, all_events boolean NOT NULL);
CREATE TABLE ticket_team_members (
    id integer PRIMARY KEY, team_id integer NOT NULL REFERENCES ticket_team (id), user_id integer NOT NULL REFERENCES ticket_user (id), UNIQUE (team_id, user_id)
);
CREATE TABLE ticket_teaminvite (id integer PRIMARY KEY, team_id integer NOT NULL REFERENCES ticket_team (id), email varchar(254), token varchar(64));
CREATE TABLE ticket_teamapitoken (id integer PRIMARY KEY, team_id integer NOT NULL REFERENCES ticket_team (id), token varchar(64) NOT NULL, active boolean NOT NULL);
CREATE TABLE ticket_u2fdevice (id integer PRIMARY KEY, name varchar(64) NOT NULL, confirmed boolean NOT NULL, json_data text NOT NULL, user_id integer NOT NULL REFERENCES ticket_user (id));
CREATE TABLE otp_totp_totpdevice (id integer PRIMARY KEY, name varchar(64) NOT NULL, confirmed boolean NOT NULL, key varchar(80) NOT NULL, user_id integer NOT NULL REFERENCES ticket_user (id));
CREATE TABLE otp_static_staticdevice (id integer PRIMARY KEY, name varchar(64) NOT NULL, confirmed boolean NOT NULL, user_id integer NOT NULL REFERENCES ticket_user (id));
CREATE TABLE ticket_staffsession (id integer PRIMARY KEY, session_key varchar(255) NOT NULL, user_id integer NOT NULL REFERENCES ticket_user (id));
INSERT INTO ticket_user VALUES
    (1, '!', NULL, 'till@example.com', 'Till Roth', TRUE, TRUE, '2020-01-01 00:00:00', TRUE, 's1', FALSE),
    (2, '!', NULL, 'gate@example.com', NULL, TRUE, FALSE, '2020-01-01 00:00:00', FALSE, 's2', TRUE);
INSERT INTO ticket_team VALUES (1, 'Administrators', 1, TRUE), (2, 'Gate', 1, FALSE);
INSERT INTO ticket_team_members VALUES (1, 1, 1), (2, 2, 2);
INSERT INTO ticket_teaminvite VALUES (1, 1, 'guest@example.com', 'invite-token');
INSERT INTO ticket_teamapitoken VALUES (1, 1, 'team-token', TRUE);
INSERT INTO ticket_u2fdevice VALUES (1, 'key', TRUE, '{}', 1);
INSERT INTO otp_totp_totpdevice VALUES (1, 'phone', TRUE, 'c0ffee', 1);
INSERT INTO otp_static_staticdevice VALUES (1, 'emergency', TRUE, 1);
INSERT INTO ticket_staffsession VALUES (1, 'x', 1);
