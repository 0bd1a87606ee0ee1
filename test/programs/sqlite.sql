-- The script of the SQLite test: bulk inserts, indices, joins, windows, recursion, JSON, full text, R*Tree, big values,
-- triggers, savepoints. Everything is derived from counters: no random(), no time.
pragma synchronous = off;
pragma journal_mode = wal;
pragma cache_size = -4000;

create table item(id integer primary key, grp integer, name text, weight real, doc text);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 120000)
insert into item
    select i, i % 997, printf('%08x-%d', i * 2654435761 % 4294967296, i), i * 7919 % 100003 / 8.0,
           json_object('id', i, 'tags', json_array(i % 5, i % 50), 'deep', json_object('even', i % 2 = 0))
    from n;
create index item_grp on item(grp, weight);
create index item_name on item(name collate nocase);
create unique index item_expr on item(abs(id) + 0, length(name));
analyze;

select grp, count(*), sum(weight), min(name), max(name) from item group by grp order by sum(weight) desc, grp limit 25;
select count(*), sum(a.weight * b.weight) from item a join item b on a.grp = b.grp and a.id < b.id where a.grp < 25;
select json_extract(doc, '$.tags[1]') as tag, count(*), sum(json_extract(doc, '$.id')) from item
    where json_extract(doc, '$.deep.even') group by tag order by tag;
select sum(r * id % 1000), max(total) from (
    select id, rank() over w as r, sum(weight) over w as total from item window w as (partition by grp order by weight));
select length(group_concat(name, ';')) from (select name from item order by name desc);
select value, count(*) from item, json_each(item.doc, '$.tags') where item.id < 8000 group by value order by value;

create table audit(id integer, old text, new text);
create trigger renamed after update of name on item begin
    insert into audit values (old.id, old.name, new.name);
end;
begin;
update item set name = name || '/' || grp where id % 3 = 0;
savepoint half;
delete from item where id % 2 = 0;
select count(*) from item;
rollback to half;
delete from item where id % 7 = 0;
commit;
select count(*), sum(weight) from item;
select count(*), max(new) from audit;

create virtual table words using fts5(body);
insert into words select group_concat(name, ' ') || ' tide' || grp % 10 from item group by grp;
select count(*) from words where words match 'tide3';
select rowid, length(snippet(words, 0, '[', ']', '...', 8)) from words where words match 'tide7' order by rowid limit 10;
insert into words(words) values ('optimize');

create virtual table box using rtree(id, x0, x1, y0, y1);
insert into box select id, weight, weight + 5, grp, grp + 3 from item where id <= 30000;
select count(*), sum(id) from box where x0 > 1000 and x1 < 5000 and y0 > 100 and y1 < 700;

create table big(id integer primary key, body blob);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 40)
insert into big select i, zeroblob(i * 50000) from n;
update big set body = replace(hex(body), '00', printf('%04d', id)) where id % 4 = 0;
select id, length(body), substr(body, 1, 12) from big where id % 4 = 0 order by id;

with recursive move(n, path) as (
    select 1, '1' union all select n * 3 % 1009, path || '-' || (n * 3 % 1009) from move where length(path) < 4000)
select count(*), max(length(path)), sum(n) from move;

create temp table sorted as select name, weight from item order by weight desc, name;
select rowid, name from sorted where rowid % 20000 = 1;

pragma integrity_check;
.sha3sum --schema
vacuum into 'vacuumed.db';
