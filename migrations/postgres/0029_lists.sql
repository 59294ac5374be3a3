-- Saved views of lists: what a list is narrowed to, under a name, for one person or for who has a role. And the columns that a person
-- has chosen for a list.
create table saved_view (
  id uuid primary key,
  staff_id uuid not null references staff_member (id), -- who saved it
  role_id uuid references role (id), -- who else sees it
  list text collate "C" not null,
  name text collate "C" not null,
  fields text collate "C" not null, -- JSON: the URL's fields and their values; nothing of contacts
  created_at bigint not null,
  version bigint not null
);
create unique index saved_view_of_member on saved_view (staff_id, list, name);
create index saved_view_of_role on saved_view (role_id, list, name) where role_id is not null;

create table list_setting (
  staff_id uuid not null references staff_member (id),
  list text collate "C" not null,
  columns text collate "C" not null, -- JSON: the words of those that are shown
  primary key (staff_id, list)
);
