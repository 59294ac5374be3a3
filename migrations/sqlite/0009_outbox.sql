-- People talk ahead of blasts, and what an agent writes to a contact leaves in the order in which it was written.
drop index message_due;
create index message_due on message (due_at, line_id, id) where due_at is not null and blast_id is null;
create index message_due_of_blast on message (due_at, line_id, id) where due_at is not null and blast_id is not null;
create index message_of_agent_waits on message (line_id, conversation_id, id) where due_at is not null and origin = 'agent';
