-- A line's history is of what was changed of it, and is found without a walk through the messages that programs sent from it.
create index audit_of_line_changes on audit_entry (line_id, id) where action <> 'message.send';
