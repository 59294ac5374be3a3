-- A recorded blast becomes due in batches: how far it has come, in the order of its messages' ids.
alter table blast add column due_up_to blob;
