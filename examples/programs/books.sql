CREATE TABLE books(title TEXT, year INTEGER);
INSERT INTO books VALUES ('Purely Functional Data Structures', 1998), ('Linkers and Loaders', 1999),
  ('Engineering a Compiler', 2003);
SELECT year, title FROM books WHERE title LIKE '%er%' ORDER BY year DESC;
SELECT count(*), avg(year) FROM books;
