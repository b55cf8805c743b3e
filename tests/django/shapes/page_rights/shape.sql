-- Like Wagtail: the rights of groups on pages, sites and tasks refer to groups, a page has three keys to users, an
-- announcement joins users and groups, and the avatar is in a profile.

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
CREATE TABLE authtoken_token (
    key varchar(40) PRIMARY KEY, created timestamp with time zone NOT NULL, user_id integer NOT NULL UNIQUE REFERENCES auth_user (id)
);

CREATE TABLE cms_userprofile (
    id integer PRIMARY KEY, avatar varchar(100) NOT NULL, preferred_language varchar(10) NOT NULL, user_id integer NOT NULL UNIQUE REFERENCES auth_user (id)
);
CREATE TABLE cms_page (
    id integer PRIMARY KEY, title varchar(255) NOT NULL, owner_id integer REFERENCES auth_user (id), locked_by_id integer REFERENCES auth_user (id),
    approved_by_id integer REFERENCES auth_user (id)
);
CREATE TABLE cms_grouppagepermission (
    id integer PRIMARY KEY, group_id integer NOT NULL REFERENCES auth_group (id), page_id integer NOT NULL REFERENCES cms_page (id), permission_type varchar(20) NOT NULL
);
CREATE TABLE cms_approvaltask (id integer PRIMARY KEY, name varchar(255) NOT NULL);
CREATE TABLE cms_approvaltask_groups (
    id integer PRIMARY KEY, task_id integer NOT NULL REFERENCES cms_approvaltask (id), group_id integer NOT NULL REFERENCES auth_group (id)
);
CREATE TABLE cms_announcement (
    id integer PRIMARY KEY, description text NOT NULL, created_at timestamp with time zone NOT NULL,
    author_id integer NOT NULL REFERENCES auth_user (id), group_id integer NOT NULL REFERENCES auth_group (id)
);
INSERT INTO auth_user VALUES
    (1, '!', NULL, TRUE, 'noor', 'Noor', 'Vik', 'noor@example.com', TRUE, TRUE, '2020-01-01 00:00:00'),
    (2, '!', NULL, FALSE, 'emil', 'Emil', 'Dahl', '', FALSE, TRUE, '2020-01-01 00:00:00'),
    (3, '!', NULL, FALSE, 'lena', 'Lena', 'Falk', '', FALSE, TRUE, '2020-01-01 00:00:00');
INSERT INTO auth_group VALUES (1, 'Moderators'), (2, 'Editors');
INSERT INTO auth_user_groups VALUES (1, 2, 2), (2, 3, 1), (3, 3, 2);
INSERT INTO authtoken_token VALUES ('b540898ac730a46ec357c7b061bee1047a018c05', '2020-01-01 00:00:00', 1), ('7e6e202c1be365525270a980e1584393c456b2e8', '2020-01-01 00:00:00', 2);
INSERT INTO cms_userprofile VALUES (1, 'avatars/noor.png', 'sv', 1), (2, '', 'en', 3);
INSERT INTO cms_page VALUES (1, 'Home', 1, 2, 3);
INSERT INTO cms_grouppagepermission VALUES (1, 1, 1, 'publish'), (2, 2, 1, 'edit');
INSERT INTO cms_approvaltask VALUES (1, 'Moderation');
INSERT INTO cms_approvaltask_groups VALUES (1, 1, 1);
INSERT INTO cms_announcement VALUES (1, 'No coffee', '2020-01-01 00:00:00', 1, 1);
