-- A post in a chat that we do not know may be in one of ours that is just being made: its chat is read once it is known.
alter table ringcentral_event add column stray_chat_id text collate "C"; -- the chat, if nobody knew it when the event was worked off
create index ringcentral_event_stray on ringcentral_event (connection_id, stray_chat_id) where stray_chat_id is not null;
