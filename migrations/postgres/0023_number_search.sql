-- Tries to find a number are counted with all others, in the throttle.
alter table number_search drop column is_counted;
