-- Contacts and conversations are found by how a number begins, too.
create index conversation_of_number on conversation (number, line_id);
create index contact_of_number on contact (number, account_id);
