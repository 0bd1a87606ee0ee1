-- Queries of the PostgreSQL test: joins, sorts and aggregates that spill, parallel workers, JSON, arrays, text search,
-- PL/pgSQL and large values. Every answer is ordered and depends on nothing but the SQL.
set min_parallel_table_scan_size = 0;
set parallel_setup_cost = 0;
set parallel_tuple_cost = 0;

create table item as
    select i as id, i % 997 as grp, md5(i::text) as name, (i * 7919) % 100003 as weight,
           jsonb_build_object('id', i, 'tags', jsonb_build_array(i % 5, md5((i % 50)::text)), 'deep',
                              jsonb_build_object('even', i % 2 = 0)) as doc
    from generate_series(1, 40000) as i;
analyze item;

select grp, count(*), sum(weight), min(name), max(name) from item group by grp order by sum(weight) desc, grp limit 20;
select md5(string_agg(name, '' order by name desc)) from item;
select count(*), sum(a.weight * 1.0 * b.weight) from item a join item b on a.grp = b.grp and a.id < b.id
    where a.grp < 60;
select doc -> 'tags' ->> 1 as tag, count(*), sum((doc ->> 'id')::bigint) from item
    where doc @> '{"deep": {"even": true}}' group by 1 order by 1;
select count(*), md5(string_agg(r::text, ',' order by id))
    from (select id, rank() over (partition by grp order by weight, id) as r from item) as ranked;

create index item_doc on item using gin (doc);
create index item_name on item (name text_pattern_ops);
set enable_seqscan = off;
select count(*) from item where doc @> '{"tags": [3]}';
select id, name from item where name like 'abc%' order by id;
reset enable_seqscan;

with recursive walk(n, path) as (
    select 1, array[1] union all select n * 3 % 1009, path || (n * 3 % 1009) from walk where array_length(path, 1) < 300)
select md5(string_agg(array_to_string(path, '-'), ';' order by array_length(path, 1))) from walk;

select ts_rank(v, q)::numeric(8, 5), count(*)
    from (select to_tsvector('simple', string_agg(name, ' ' order by id) || ' tide') as v from item group by grp) as d,
         to_tsquery('simple', 'tide') as q
    group by 1 order by 1;

create function fill(rounds int) returns bigint language plpgsql as $$
declare
    words text[] := '{}';
    total bigint := 0;
begin
    for i in 1..rounds loop
        words := words || repeat(chr(97 + i % 26), i % 100);
        begin
            if i % 10 = 0 then
                raise exception 'round %', i;
            end if;
            total := total + length(array_to_string(words, ','));
        exception when others then
            total := total + length(sqlerrm);
        end;
    end loop;
    return total;
end $$;
select fill(2000);

create table blob as select i as id, repeat(md5(i::text), 40000) as body from generate_series(1, 20) as i;
select id, length(body), md5(body), md5(upper(body) || reverse(body)) from blob order by id;
update blob set body = body || body where id % 2 = 0;
select sum(length(body)), md5(string_agg(md5(body), '' order by id)) from blob;

update item set weight = weight + 1 where id % 3 = 0;
delete from item where id % 7 = 0;
vacuum (parallel 2) item;
select count(*), sum(weight), md5(string_agg(item::text, ',' order by id)) from item;
