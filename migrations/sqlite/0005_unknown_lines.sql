-- Messages to unknown lines are kept whole, and read newest first, all or those to one number.

alter table unknown_inbound add column others text; -- JSON: the other numbers of a group text
alter table unknown_inbound add column media text; -- JSON: url and content type of each attachment
alter table unknown_inbound add column carrier_at integer; -- the carrier's time, for display
create index unknown_inbound_to on unknown_inbound (to_number, id);
