-- The audit says from where something was done, and how it ended. What was sealed before holds neither and stays sealed as it was.
alter table audit_entry add column address text collate "C"; -- the client's, or shell; null: the program itself
alter table audit_entry add column outcome text collate "C" not null default 'done'; -- done, denied, seen
create index audit_of_outcome on audit_entry (outcome, id);
