-- How the carrier stands, as all processes know it, by its address: until when nobody calls it, how fast it is called, and since when it
-- has taken nothing.
create table carrier (
  url text not null primary key,
  parked_until integer, -- nobody calls it before
  next_at integer, -- by the pace that is set the next message leaves no sooner
  failing_since integer, -- null while it takes messages
  failed_at integer, -- when it took nothing last
  failing_why text
) strict;

-- Whatever one says to a contact leaves in the order in which it was said, whoever says it.
drop index message_of_agent_waits;
create index message_of_contact_waits on message (line_id, number, id) where due_at is not null and blast_id is null;
