-- A contact who was erased does not come back with an older file: the number is kept as a hash, for each account.
create table erased_contact (
  account_id uuid not null references account (id),
  number_hash text collate "C" not null, -- SHA-256 of the salt and the number
  at bigint not null,
  primary key (account_id, number_hash)
);

-- What came of a piece of a file that took too long is written a part at a time.
alter table utility_output add column covers bigint; -- rows of its piece that it tells of until now; null when it tells of all
