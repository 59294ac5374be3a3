-- Who is in a chat, who cannot be, and whether RingCentral showed us our own post.

-- The members of a line's chats follow the people who have access to it: a chat of an older version than the line's is looked at.
create table line_members (
  line_id blob not null primary key,
  version integer not null, -- grows with each change of access
  due_at integer -- when chats of an older version are looked for; null when there is none
) strict;
create index line_members_due on line_members (due_at) where due_at is not null;
alter table chat add column members text; -- JSON: the users whom we made members
alter table chat add column members_version integer not null default 0;
alter table chat add column members_due_at integer; -- it is being looked at, or waits for another try
alter table lane add column chat_members text; -- JSON: with whom the chat was asked for whose answer is not known
create index chat_members on chat (line_id, members_version);
insert into line_members (line_id, version, due_at) select distinct line_id, 1, 0 from chat;

-- Somebody whom RingCentral does not know by their e-mail address; tried again when staff ask for it.
create table unknown_person (
  connection_id blob not null references connection (id),
  user_id blob not null,
  reason text not null,
  seen_at integer not null,
  primary key (connection_id, user_id)
) strict;

-- Who a person id of RingCentral's is: people are added to a team by e-mail, and removed by this id alone.
create table ringcentral_person (
  connection_id blob not null references connection (id),
  person_id text not null,
  email text not null,
  seen_at integer not null,
  primary key (connection_id, person_id)
) strict;
create index ringcentral_person_email on ringcentral_person (connection_id, email);

-- Our own post came back as an event: RingCentral shows it.
alter table intent add column echoed_at integer;
create index intent_of_conversation on intent (line_id, conversation_id);
create index agent_post_not_sent on agent_post (line_id, conversation_id, seen_at) where outcome <> 'sent';
