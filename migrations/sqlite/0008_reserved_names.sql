-- The e-mail address and the mobile number of a deleted user stay reserved while it can be brought back. These
-- indexes find them. The PostgreSQL twin of this file has the same number and index names.

CREATE INDEX deleted_users_by_email ON deleted_users (email) WHERE email <> '';
CREATE INDEX deleted_users_by_mobile_number ON deleted_users (remains ->> 'mobile_number');
