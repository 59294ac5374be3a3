-- Who made a one-time link: a first one stays good when its maker gives its member a further role, and not when somebody else does.
alter table invitation add column made_by uuid references staff_member (id); -- null for the first administrator's

-- Who made the token of an account's programs, and who revoked it: names. Null for those of before.
alter table api_token add column made_by text;
alter table api_token add column revoked_by text;
create index api_token_of_account on api_token (account_id, created_at);
