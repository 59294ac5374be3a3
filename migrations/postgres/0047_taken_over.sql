-- What contacts wrote before their line was taken over from the platform's first version: no carrier's id tells it.
create index message_taken_over on message (line_id) where direction = 'inbound' and carrier_id is null;
