-- Whole numbers of contacts and what was written are seen by a permission of their own. Whoever saw messages saw them whole until now,
-- so each role that shows messages gets it, the built-in Viewer too: nobody loses what they had. Take it from a role on the Staff
-- screen. In a new installation Viewer begins without it.
insert into role_permission (role_id, permission) select role_id, 'see_personal_data' from role_permission where permission = 'see_messages';

-- A search for a contact by number. The number is not kept: only what was found, for the page that shows it, and that it was asked.
create table number_search (
  staff_id uuid not null references staff_member (id),
  id uuid not null,
  at bigint not null,
  is_counted boolean not null, -- by somebody who sees no personal data there: so many in ten minutes
  found text not null, -- JSON: line and conversation of each
  primary key (staff_id, id)
);
create index number_search_age on number_search (at);
create index conversation_of_number on conversation (number, line_id);
