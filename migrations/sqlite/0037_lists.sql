-- Of an account's very many contacts the closed ones are few: a list that is narrowed to them is read off an index of their own.
create index contact_closed on contact (account_id, search, number) where closed_at is not null;
