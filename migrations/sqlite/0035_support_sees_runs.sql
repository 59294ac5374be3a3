-- Who may set the type of a line may set it of many: as a run, which they have to see.
insert into role_permission (role_id, permission)
select role_id, 'see_runs' from role_permission where permission = 'set_integration_type'
on conflict do nothing;
