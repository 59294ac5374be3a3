-- The directory, whole: who and what is closed, versions for edits, and the indexes that carry its searches.

-- People are closed, not deleted.
alter table account_user add column closed_at integer;
alter table account_user add column version integer not null default 1;
alter table account_user add column search text not null default ''; -- the name in lower case
update account_user set search = lower(name);
drop index account_user_of;
create index account_user_of on account_user (account_id, search, id);
create index account_user_by_email on account_user (account_id, email, id);

-- A contact's id stands in addresses, where its number must not.
alter table contact add column id blob;
alter table contact add column version integer not null default 1;
alter table contact add column search text not null default ''; -- the name in lower case
update contact set id = randomblob(16), search = lower(name);
create unique index contact_by_id on contact (id);
create index contact_by_name on contact (account_id, search, number);

-- A closed line sends nothing, and what comes in is recorded.
alter table line add column closed_at integer;

-- An account's blasts, the newest first; and whether anything of a blast is still to be sent.
create index blast_of_account on blast (account_id, id);
create index message_of_blast_due on message (line_id, blast_id, due_at) where due_at is not null and blast_id is not null;
