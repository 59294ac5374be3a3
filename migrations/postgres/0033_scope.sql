-- A list looks at many rows of many accounts: it asks once for the roles, and of each row only whether one of them names its account.
drop view staff_scope;
create view staff_scope_role as
select sr.staff_id, rp.permission, sr.role_id
from staff_role sr
join staff_member m on m.id = sr.staff_id and m.disabled_at is null
join role_permission rp on rp.role_id = sr.role_id;
create view staff_scope as
select s.staff_id, s.permission, ra.account_id
from staff_scope_role s
join role_account ra on ra.role_id = s.role_id;
