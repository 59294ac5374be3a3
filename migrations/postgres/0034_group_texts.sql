-- The group texts of a line are looked through when one contact is erased.
create index message_group_texts on message (line_id) where others is not null;
