-- The search everywhere finds by names in lower case whatever their alphabet. The program writes them: no function of both engines folds
-- more than the letters of ASCII. What stood here before and is left empty, it folds as it starts.

drop index account_folded;
alter table account drop column folded;
alter table account add column search text not null default ''; -- the name in lower case
create index account_search on account (search, id);

drop index staff_member_folded;
alter table staff_member drop column folded;
alter table staff_member add column search text not null default ''; -- the name in lower case
create index staff_member_search on staff_member (search, id);

-- People and contacts have it since 0027, which folded as far as the engine goes.
drop index account_user_folded;
alter table account_user drop column folded;
update account_user set search = '' where search = lower(name) and length(cast(name as blob)) > length(name);
create index account_user_search on account_user (search, account_id, id);

drop index contact_folded;
alter table contact drop column folded;
update contact set search = '' where search = lower(name) and length(cast(name as blob)) > length(name);
create index contact_search on contact (search, account_id, number);

-- What a line is found by begins with its label. The list of lines is still sorted by `folded`.
create index line_search on line (search, id);
