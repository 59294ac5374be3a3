-- Blasts that wait for a decision are few among very many: Home reads them in the order of their start.
create index blast_paused on blast (starts_at, line_id, id) where state = 'paused';
-- The access of a person is counted and taken by the person.
create index line_user_of on line_user (user_id, line_id);
