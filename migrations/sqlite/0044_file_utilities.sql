-- A contact who was erased does not come back with an older file: the number is kept as a hash, for each account.
create table erased_contact (
  account_id blob not null references account (id),
  number_hash text not null, -- SHA-256 of the salt and the number
  at integer not null,
  primary key (account_id, number_hash)
) strict;

-- What came of a piece of a file that took too long is written a part at a time.
alter table utility_output add column covers integer; -- rows of its piece that it tells of until now; null when it tells of all
