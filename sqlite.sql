.mode list
.headers on
CREATE TABLE person(id INTEGER PRIMARY KEY, name TEXT NOT NULL, age INT CHECK(age >= 0), city TEXT DEFAULT 'nowhere');
CREATE UNIQUE INDEX person_name ON person(name);
CREATE TABLE bill(id INTEGER PRIMARY KEY, person INT REFERENCES person(id) ON DELETE CASCADE, amount REAL, day TEXT);
CREATE INDEX bill_person ON bill(person, amount DESC);
INSERT INTO person(name, age, city) VALUES ('Ada', 36, 'London'), ('Blaise', 39, 'Paris'), ('Carl', 77, 'Göttingen'), ('Dmitri', 72, NULL);
INSERT INTO person(name, age) VALUES ('Emmy', 53);
INSERT INTO person(name, age) VALUES ('Ada', 1);
INSERT INTO person(name, age) VALUES ('Wrong', -1);
INSERT OR REPLACE INTO person(id, name, age) VALUES (2, 'Blaise', 40);
INSERT INTO person(name, age) VALUES ('Ada', 37) ON CONFLICT(name) DO UPDATE SET age = excluded.age;
SELECT * FROM person ORDER BY name;
INSERT INTO bill(person, amount, day) SELECT id, id * 10.5, date('2024-01-01', '+' || id || ' days') FROM person;
INSERT INTO bill(person, amount, day) SELECT person, amount * 2, date(day, '+1 month') FROM bill WHERE amount > 20;
SELECT p.name, count(*) AS n, sum(b.amount), avg(b.amount), min(day), max(day) FROM person p JOIN bill b ON b.person = p.id GROUP BY p.id HAVING n > 1 ORDER BY 3 DESC;
SELECT p.name, b.amount FROM person p LEFT JOIN bill b ON b.person = p.id AND b.amount > 50 ORDER BY 1, 2;
SELECT name FROM person WHERE id IN (SELECT person FROM bill WHERE amount BETWEEN 20 AND 60) ORDER BY age;
SELECT name, (SELECT max(amount) FROM bill WHERE person = person.id) FROM person ORDER BY name LIMIT 3 OFFSET 1;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) SELECT sum(i), count(*), group_concat(i % 7) FROM n WHERE i % 50 = 0;
WITH RECURSIVE f(n, a, b) AS (VALUES (1, 0, 1) UNION ALL SELECT n + 1, b, a + b FROM f WHERE n < 30) SELECT n, a FROM f WHERE n % 5 = 0;
SELECT name, age, rank() OVER (ORDER BY age), sum(age) OVER (ORDER BY age ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM person ORDER BY age;
SELECT ntile(2) OVER (ORDER BY amount), lag(amount, 1, 0.0) OVER (ORDER BY amount), amount FROM bill ORDER BY amount;
CREATE VIEW rich AS SELECT name, sum(amount) AS total FROM person JOIN bill ON person = person.id GROUP BY 1;
SELECT * FROM rich WHERE total > 60 ORDER BY total DESC;
CREATE TABLE log(what TEXT, old, new);
CREATE TRIGGER aged AFTER UPDATE OF age ON person BEGIN INSERT INTO log VALUES (NEW.name, OLD.age, NEW.age); END;
CREATE TRIGGER gone BEFORE DELETE ON person WHEN OLD.age > 70 BEGIN SELECT RAISE(ABORT, 'too old to go'); END;
UPDATE person SET age = age + 1 WHERE name LIKE '%a%';
DELETE FROM person WHERE name = 'Carl';
DELETE FROM person WHERE name = 'Emmy';
SELECT * FROM log ORDER BY what;
PRAGMA foreign_keys = ON;
DELETE FROM person WHERE name = 'Blaise';
SELECT count(*) FROM bill;
BEGIN; UPDATE person SET city = 'x'; SAVEPOINT s; DELETE FROM bill; ROLLBACK TO s; SELECT count(*) FROM bill; ROLLBACK; SELECT DISTINCT city FROM person ORDER BY 1;
SELECT typeof(1), typeof(1.5), typeof('a'), typeof(x'00'), typeof(NULL), 7 / 2, 7 % 3, 7.0 / 2, -7 / 2, 1 << 40, ~5, 5 & 3, 5 | 3;
SELECT upper('ab'), lower('AB'), length('häß'), substr('abcdef', 2, 3), trim('  x '), replace('aXbX', 'X', '--'), instr('hello', 'l'), hex('az'), quote('it''s'), printf('%05d|%.3f|%s', 42, 3.14159, 'x');
SELECT abs(-3), round(2.567, 2), max(1, 5, 3), min(4, 2), coalesce(NULL, NULL, 3), nullif(1, 1), iif(1 > 2, 'a', 'b'), unicode('ä'), char(65, 66), zeroblob(2) = x'0000', like('a%', 'abc'), glob('a*', 'abc');
SELECT date('2024-02-28', '+2 days'), strftime('%Y-%j %H:%M', '2024-12-31 23:59:58'), julianday('2000-01-01'), datetime(0, 'unixepoch'), time('12:00', '-90 minutes');
SELECT 1e308 * 10, -1e308 * 10, 0.1 + 0.2, 1.0 / 3, 9223372036854775807 + 1, 123456789012345678, cast('12abc' AS INT), cast(3.99 AS INT), cast(65 AS TEXT) || '!', 1e15, 1e16;
SELECT json_extract('{"a":[1,{"b":2}]}', '$.a[1].b'), json_array(1, 'x', NULL), json_object('k', 2.5), json_valid('{'), json_type('[1]'), json_group_array(name) FROM (SELECT name FROM person ORDER BY name);
SELECT key, value, type, fullkey FROM json_tree('{"x":[1,true,null,"s"],"y":{"z":1.5}}');
SELECT a.name, b.name FROM person a, person b WHERE a.id < b.id ORDER BY 1, 2;
SELECT name FROM person UNION SELECT what FROM log EXCEPT SELECT 'Ada' INTERSECT SELECT name FROM person ORDER BY 1;
SELECT CASE WHEN age < 40 THEN 'young' WHEN age < 60 THEN 'middle' ELSE 'old' END AS class, count(*) FROM person GROUP BY class ORDER BY class COLLATE NOCASE DESC;
EXPLAIN QUERY PLAN SELECT * FROM person JOIN bill ON person = person.id WHERE name = 'Ada' ORDER BY amount DESC;
ALTER TABLE person ADD COLUMN mail TEXT;
ALTER TABLE person RENAME COLUMN city TO town;
ALTER TABLE log RENAME TO journal;
PRAGMA table_info(person);
SELECT name, sql FROM sqlite_master ORDER BY name;
CREATE TABLE w(k TEXT PRIMARY KEY, v) WITHOUT ROWID;
INSERT INTO w VALUES ('b', 1), ('a', 2), ('c', x'ff00'), ('d', 1.25);
SELECT k, quote(v) FROM w ORDER BY k;
CREATE TABLE g(a INT, b INT, c INT GENERATED ALWAYS AS (a * b) VIRTUAL, d TEXT AS (a || '-' || b) STORED);
INSERT INTO g(a, b) VALUES (2, 3), (4, 5);
SELECT * FROM g;
SELECT * FROM nowhere;
SELECT nothing FROM person;
SELEC 1;
INSERT INTO g(c) VALUES (1);
SELECT sum(9223372036854775807) FROM g;
.mode box
SELECT id, name, age FROM person ORDER BY id;
.mode csv
SELECT 'a,b', 'quote"d', NULL, 1.5;
.mode json
SELECT id, name, age * 1.5 AS x FROM person ORDER BY id;
.mode insert g
SELECT a, b FROM g;
.mode list
.separator |
CREATE TABLE big(id INTEGER PRIMARY KEY, k INT, t TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) INSERT INTO big SELECT i, (i * 7919) % 1009, printf('row %d', i * i % 977) FROM n;
CREATE INDEX big_k ON big(k, t);
SELECT count(DISTINCT k), count(DISTINCT t), sum(k), max(t) FROM big;
SELECT k, count(*) FROM big WHERE k BETWEEN 100 AND 104 GROUP BY k;
DELETE FROM big WHERE id % 3 = 0;
UPDATE big SET t = t || '!' WHERE k < 50;
SELECT count(*), total(length(t)) FROM big;
VACUUM;
ANALYZE;
PRAGMA integrity_check;
SELECT count(*) FROM big a JOIN big b ON a.k = b.id WHERE b.t LIKE '%9!';
