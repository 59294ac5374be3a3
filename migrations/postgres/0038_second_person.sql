-- Who takes away the last other one who could agree is not alone at once.
alter table staff_turn add column until bigint not null default 0;
insert into staff_turn (name, turn) values ('alone', 0);

-- A link that takes the second factor away does so when it is used: until then a short password does not stand alone.
alter table invitation add column lost_second_factor boolean not null default false;

-- A request that began before a member's sessions were ended begins no new one.
alter table staff_member add column sessions_ended_at bigint not null default 0;

-- How much one person does alone, as the server is set: the shell goes by the same.
create table alone (
  name text collate "C" primary key,
  most bigint not null
);
