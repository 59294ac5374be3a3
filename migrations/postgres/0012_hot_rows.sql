-- PostgreSQL checks each foreign key of each row with a query of its own: a third of the time that a blast takes to be recorded.
-- The rows that come by the thousand are written by statements that have just locked or made what they refer to; SQLite, which
-- checks for next to nothing, holds the same statements to the same keys in every test.
alter table conversation drop constraint conversation_line_id_fkey;
alter table message drop constraint message_line_id_fkey;
alter table lane drop constraint lane_line_id_conversation_id_fkey;
alter table sync_entry drop constraint sync_entry_line_id_message_id_fkey;
