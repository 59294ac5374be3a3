-- What was done to one contact or one conversation is found without a walk through the whole audit.
create index audit_of_subject on audit_entry (subject_id, id) where subject_id is not null;
