-- needs_reference is true where a reference table was given; else an error that says how to give one.
-- needs: variable has_reference

create macro no_reference(view_name) as
    error(view_name || ' needs the RT-PCR results: open with a reference table (screening sql RESULTS --reference FILE)');

create macro needs_reference(view_name) as
    if(getvariable('has_reference'), true, no_reference(view_name)::boolean);
