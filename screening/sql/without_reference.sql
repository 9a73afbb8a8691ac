-- Stand-ins for the views that compare with the reference standard, where no reference table was given: they say how to get them.

create view accuracy as
select error('accuracy needs the RT-PCR results: open with a reference table (screening sql RESULTS --reference FILE)') as message;

create view lead_time as
select error('lead_time needs the RT-PCR results: open with a reference table (screening sql RESULTS --reference FILE)') as message;

create view lead_time_summary as
select error('lead_time_summary needs the RT-PCR results: open with a reference table (screening sql RESULTS --reference FILE)') as message;
