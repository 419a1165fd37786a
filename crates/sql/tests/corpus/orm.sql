SELECT "users"."created_at", "users"."email", "users"."user_id", "users"."price" FROM "users" WHERE "users"."created_at" = 1 LIMIT 21

SELECT COUNT(*) AS "__count" FROM "users" WHERE ("users"."email" = 1 AND NOT ("users"."user_id" IS NULL))

SELECT "users"."created_at" FROM "users" INNER JOIN "auth_user" ON ("users"."user_id" = "auth_user"."id") WHERE UPPER("auth_user"."username"::text) = UPPER(1) ORDER BY "users"."created_at" DESC

SELECT (1) AS "a" FROM "users" WHERE "users"."created_at" = 1 LIMIT 1

UPDATE "users" SET "email" = 1, "user_id" = NULL WHERE "users"."created_at" = 1

INSERT INTO "users" ("email", "user_id") VALUES (1, 1) RETURNING "users"."id"

SELECT "users".* FROM "users" WHERE "users"."created_at" = 1 LIMIT 1

SELECT 1 AS one FROM "users" WHERE "users"."email" = 1 AND "users"."id" != 1 LIMIT 1

DELETE FROM "users" WHERE "users"."id" = 1

select u1_0.created_at,u1_0.email from users u1_0 where u1_0.created_at=1 fetch first 1 rows only

select u0_.created_at as created_at1_0_, u0_.email as email2_0_ from users u0_ left outer join roles r1_ on u0_.role_id=r1_.id where u0_.created_at=1

update users set email=1, version=version+1 where id=1 and version=1

SELECT "public"."users"."created_at", "public"."users"."email" FROM "public"."users" WHERE ("public"."users"."created_at" = 1 AND 1=1) LIMIT 1 OFFSET 1

SELECT "t0"."created_at" FROM "public"."users" AS "t0" LEFT JOIN LATERAL (SELECT COALESCE(JSONB_AGG("__prisma_data__"), '[]') AS "__prisma_data__" FROM (SELECT "t2"."x" FROM "public"."y" AS "t2" WHERE "t2"."k" = 1) AS "t3") AS "j" ON TRUE WHERE "t0"."created_at" = 1

SELECT users.created_at AS users_created_at, users.email AS users_email 
FROM users 
WHERE users.created_at = 1 
 LIMIT 1

SELECT * FROM "users" WHERE created_at = 1 AND "users"."deleted_at" IS NULL ORDER BY "users"."id" LIMIT 1

SELECT u0."created_at", u0."email" FROM "users" AS u0 WHERE (u0."created_at" = 1) AND u0."state" = ANY($2)

INSERT INTO users (created_at, email) VALUES (1, 1) ON CONFLICT (created_at) DO UPDATE SET email = EXCLUDED.email RETURNING *

SELECT "users"."created_at", "users"."email", "users"."user_id", "users"."price" FROM "users" WHERE "users"."created_at" = 2500000000 LIMIT 21

SELECT COUNT(*) AS "__count" FROM "users" WHERE ("users"."email" = 2500000000 AND NOT ("users"."user_id" IS NULL))

SELECT "users"."created_at" FROM "users" INNER JOIN "auth_user" ON ("users"."user_id" = "auth_user"."id") WHERE UPPER("auth_user"."username"::text) = UPPER(2500000000) ORDER BY "users"."created_at" DESC

SELECT (1) AS "a" FROM "users" WHERE "users"."created_at" = 2500000000 LIMIT 1

UPDATE "users" SET "email" = 2500000000, "user_id" = NULL WHERE "users"."created_at" = 2500000000

INSERT INTO "users" ("email", "user_id") VALUES (2500000000, 2500000000) RETURNING "users"."id"

SELECT "users".* FROM "users" WHERE "users"."created_at" = 2500000000 LIMIT 1

SELECT 1 AS one FROM "users" WHERE "users"."email" = 2500000000 AND "users"."id" != 2500000000 LIMIT 1

DELETE FROM "users" WHERE "users"."id" = 2500000000

select u1_0.created_at,u1_0.email from users u1_0 where u1_0.created_at=2500000000 fetch first 1 rows only

select u0_.created_at as created_at1_0_, u0_.email as email2_0_ from users u0_ left outer join roles r1_ on u0_.role_id=r1_.id where u0_.created_at=2500000000

update users set email=2500000000, version=version+1 where id=2500000000 and version=2500000000

SELECT "public"."users"."created_at", "public"."users"."email" FROM "public"."users" WHERE ("public"."users"."created_at" = 2500000000 AND 1=1) LIMIT 2500000000 OFFSET 2500000000

SELECT "t0"."created_at" FROM "public"."users" AS "t0" LEFT JOIN LATERAL (SELECT COALESCE(JSONB_AGG("__prisma_data__"), '[]') AS "__prisma_data__" FROM (SELECT "t2"."x" FROM "public"."y" AS "t2" WHERE "t2"."k" = 2500000000) AS "t3") AS "j" ON TRUE WHERE "t0"."created_at" = 2500000000

SELECT users.created_at AS users_created_at, users.email AS users_email 
FROM users 
WHERE users.created_at = 2500000000 
 LIMIT 2500000000

SELECT * FROM "users" WHERE created_at = 2500000000 AND "users"."deleted_at" IS NULL ORDER BY "users"."id" LIMIT 1

SELECT u0."created_at", u0."email" FROM "users" AS u0 WHERE (u0."created_at" = 2500000000) AND u0."state" = ANY($2)

INSERT INTO users (created_at, email) VALUES (2500000000, 2500000000) ON CONFLICT (created_at) DO UPDATE SET email = EXCLUDED.email RETURNING *

SELECT "users"."created_at", "users"."email", "users"."user_id", "users"."price" FROM "users" WHERE "users"."created_at" = 'abc' LIMIT 21

SELECT COUNT(*) AS "__count" FROM "users" WHERE ("users"."email" = 'abc' AND NOT ("users"."user_id" IS NULL))

SELECT "users"."created_at" FROM "users" INNER JOIN "auth_user" ON ("users"."user_id" = "auth_user"."id") WHERE UPPER("auth_user"."username"::text) = UPPER('abc') ORDER BY "users"."created_at" DESC

SELECT (1) AS "a" FROM "users" WHERE "users"."created_at" = 'abc' LIMIT 1

UPDATE "users" SET "email" = 'abc', "user_id" = NULL WHERE "users"."created_at" = 'abc'

INSERT INTO "users" ("email", "user_id") VALUES ('abc', 'abc') RETURNING "users"."id"

SELECT "users".* FROM "users" WHERE "users"."created_at" = 'abc' LIMIT 1

SELECT 1 AS one FROM "users" WHERE "users"."email" = 'abc' AND "users"."id" != 'abc' LIMIT 1

DELETE FROM "users" WHERE "users"."id" = 'abc'

select u1_0.created_at,u1_0.email from users u1_0 where u1_0.created_at='abc' fetch first 1 rows only

select u0_.created_at as created_at1_0_, u0_.email as email2_0_ from users u0_ left outer join roles r1_ on u0_.role_id=r1_.id where u0_.created_at='abc'

update users set email='abc', version=version+1 where id='abc' and version='abc'

SELECT "public"."users"."created_at", "public"."users"."email" FROM "public"."users" WHERE ("public"."users"."created_at" = 'abc' AND 1=1) LIMIT 'abc' OFFSET 'abc'

SELECT "t0"."created_at" FROM "public"."users" AS "t0" LEFT JOIN LATERAL (SELECT COALESCE(JSONB_AGG("__prisma_data__"), '[]') AS "__prisma_data__" FROM (SELECT "t2"."x" FROM "public"."y" AS "t2" WHERE "t2"."k" = 'abc') AS "t3") AS "j" ON TRUE WHERE "t0"."created_at" = 'abc'

SELECT users.created_at AS users_created_at, users.email AS users_email 
FROM users 
WHERE users.created_at = 'abc' 
 LIMIT 'abc'

SELECT * FROM "users" WHERE created_at = 'abc' AND "users"."deleted_at" IS NULL ORDER BY "users"."id" LIMIT 1

SELECT u0."created_at", u0."email" FROM "users" AS u0 WHERE (u0."created_at" = 'abc') AND u0."state" = ANY($2)

INSERT INTO users (created_at, email) VALUES ('abc', 'abc') ON CONFLICT (created_at) DO UPDATE SET email = EXCLUDED.email RETURNING *

SELECT "users"."created_at", "users"."email", "users"."user_id", "users"."price" FROM "users" WHERE "users"."created_at" = $1 LIMIT 21

SELECT COUNT(*) AS "__count" FROM "users" WHERE ("users"."email" = $1 AND NOT ("users"."user_id" IS NULL))

SELECT "users"."created_at" FROM "users" INNER JOIN "auth_user" ON ("users"."user_id" = "auth_user"."id") WHERE UPPER("auth_user"."username"::text) = UPPER($1) ORDER BY "users"."created_at" DESC

SELECT (1) AS "a" FROM "users" WHERE "users"."created_at" = $1 LIMIT 1

UPDATE "users" SET "email" = $1, "user_id" = NULL WHERE "users"."created_at" = $1

INSERT INTO "users" ("email", "user_id") VALUES ($1, $1) RETURNING "users"."id"

SELECT "users".* FROM "users" WHERE "users"."created_at" = $1 LIMIT 1

SELECT 1 AS one FROM "users" WHERE "users"."email" = $1 AND "users"."id" != $1 LIMIT 1

DELETE FROM "users" WHERE "users"."id" = $1

select u1_0.created_at,u1_0.email from users u1_0 where u1_0.created_at=$1 fetch first 1 rows only

select u0_.created_at as created_at1_0_, u0_.email as email2_0_ from users u0_ left outer join roles r1_ on u0_.role_id=r1_.id where u0_.created_at=$1

update users set email=$1, version=version+1 where id=$1 and version=$1

SELECT "public"."users"."created_at", "public"."users"."email" FROM "public"."users" WHERE ("public"."users"."created_at" = $1 AND 1=1) LIMIT $1 OFFSET $1

SELECT "t0"."created_at" FROM "public"."users" AS "t0" LEFT JOIN LATERAL (SELECT COALESCE(JSONB_AGG("__prisma_data__"), '[]') AS "__prisma_data__" FROM (SELECT "t2"."x" FROM "public"."y" AS "t2" WHERE "t2"."k" = $1) AS "t3") AS "j" ON TRUE WHERE "t0"."created_at" = $1

SELECT users.created_at AS users_created_at, users.email AS users_email 
FROM users 
WHERE users.created_at = $1 
 LIMIT $1

SELECT * FROM "users" WHERE created_at = $1 AND "users"."deleted_at" IS NULL ORDER BY "users"."id" LIMIT 1

SELECT u0."created_at", u0."email" FROM "users" AS u0 WHERE (u0."created_at" = $1) AND u0."state" = ANY($2)

INSERT INTO users (created_at, email) VALUES ($1, $1) ON CONFLICT (created_at) DO UPDATE SET email = EXCLUDED.email RETURNING *

SELECT "users".* FROM "users" WHERE "users"."id" IN (1, 2, 3)

SELECT "users".* FROM "users" WHERE "users"."id" IN ($1, $2, $3)

select * from users where created_at not in (1, 2, 3) and email in ($1, $2, $3)

INSERT INTO users (created_at, email) VALUES (1, 'v1'), (2, 'v2'), (3, 'v3')

insert into users (created_at, email, user_id) values ($1,$2,now()), ($3,$4,now()), ($5,$6,now()) returning id

UPDATE users SET email = v.x FROM (VALUES (1, 1::bigint), (2, 2::bigint), (3, 3::bigint)) AS v (k, x) WHERE users.id = v.k

SELECT "users".* FROM "users" WHERE "users"."id" IN (4)

SELECT "users".* FROM "users" WHERE "users"."id" IN ($1)

select * from users where created_at not in (4) and email in ($1)

INSERT INTO users (created_at, email) VALUES (4, 'v4')

insert into users (created_at, email, user_id) values ($1,$2,now()) returning id

UPDATE users SET email = v.x FROM (VALUES (4, 4::bigint)) AS v (k, x) WHERE users.id = v.k

SELECT "users".* FROM "users" WHERE "users"."id" IN (10, 20, 30, 40, 50)

SELECT "users".* FROM "users" WHERE "users"."id" IN ($1, $2, $3, $4, $5)

select * from users where created_at not in (10, 20, 30, 40, 50) and email in ($1, $2, $3, $4, $5)

INSERT INTO users (created_at, email) VALUES (10, 'v10'), (20, 'v20'), (30, 'v30'), (40, 'v40'), (50, 'v50')

insert into users (created_at, email, user_id) values ($1,$2,now()), ($3,$4,now()), ($5,$6,now()), ($7,$8,now()), ($9,$10,now()) returning id

UPDATE users SET email = v.x FROM (VALUES (10, 10::bigint), (20, 20::bigint), (30, 30::bigint), (40, 40::bigint), (50, 50::bigint)) AS v (k, x) WHERE users.id = v.k

SELECT "orders"."id", "orders"."price", "orders"."state", "orders"."email" FROM "orders" WHERE "orders"."id" = 1 LIMIT 21

SELECT COUNT(*) AS "__count" FROM "orders" WHERE ("orders"."price" = 1 AND NOT ("orders"."state" IS NULL))

SELECT "orders"."id" FROM "orders" INNER JOIN "auth_user" ON ("orders"."user_id" = "auth_user"."id") WHERE UPPER("auth_user"."username"::text) = UPPER(1) ORDER BY "orders"."id" DESC

SELECT (1) AS "a" FROM "orders" WHERE "orders"."id" = 1 LIMIT 1

UPDATE "orders" SET "price" = 1, "state" = NULL WHERE "orders"."id" = 1

INSERT INTO "orders" ("price", "state") VALUES (1, 1) RETURNING "orders"."id"

SELECT "orders".* FROM "orders" WHERE "orders"."id" = 1 LIMIT 1

SELECT 1 AS one FROM "orders" WHERE "orders"."email" = 1 AND "orders"."id" != 1 LIMIT 1

DELETE FROM "orders" WHERE "orders"."id" = 1

select o1_0.id,o1_0.price from orders o1_0 where o1_0.id=1 fetch first 1 rows only

select o0_.id as id1_0_, o0_.price as price2_0_ from orders o0_ left outer join roles r1_ on o0_.role_id=r1_.id where o0_.id=1

update orders set price=1, version=version+1 where id=1 and version=1

SELECT "public"."orders"."id", "public"."orders"."price" FROM "public"."orders" WHERE ("public"."orders"."id" = 1 AND 1=1) LIMIT 1 OFFSET 1

SELECT "t0"."id" FROM "public"."orders" AS "t0" LEFT JOIN LATERAL (SELECT COALESCE(JSONB_AGG("__prisma_data__"), '[]') AS "__prisma_data__" FROM (SELECT "t2"."x" FROM "public"."y" AS "t2" WHERE "t2"."k" = 1) AS "t3") AS "j" ON TRUE WHERE "t0"."id" = 1

SELECT orders.id AS orders_id, orders.price AS orders_price 
FROM orders 
WHERE orders.id = 1 
 LIMIT 1

SELECT * FROM "orders" WHERE id = 1 AND "orders"."deleted_at" IS NULL ORDER BY "orders"."id" LIMIT 1

SELECT o0."id", o0."price" FROM "orders" AS o0 WHERE (o0."id" = 1) AND o0."state" = ANY($2)

INSERT INTO orders (id, price) VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET price = EXCLUDED.price RETURNING *

SELECT "orders"."id", "orders"."price", "orders"."state", "orders"."email" FROM "orders" WHERE "orders"."id" = 2500000000 LIMIT 21

SELECT COUNT(*) AS "__count" FROM "orders" WHERE ("orders"."price" = 2500000000 AND NOT ("orders"."state" IS NULL))

SELECT "orders"."id" FROM "orders" INNER JOIN "auth_user" ON ("orders"."user_id" = "auth_user"."id") WHERE UPPER("auth_user"."username"::text) = UPPER(2500000000) ORDER BY "orders"."id" DESC

SELECT (1) AS "a" FROM "orders" WHERE "orders"."id" = 2500000000 LIMIT 1

UPDATE "orders" SET "price" = 2500000000, "state" = NULL WHERE "orders"."id" = 2500000000

INSERT INTO "orders" ("price", "state") VALUES (2500000000, 2500000000) RETURNING "orders"."id"

SELECT "orders".* FROM "orders" WHERE "orders"."id" = 2500000000 LIMIT 1

SELECT 1 AS one FROM "orders" WHERE "orders"."email" = 2500000000 AND "orders"."id" != 2500000000 LIMIT 1

DELETE FROM "orders" WHERE "orders"."id" = 2500000000

select o1_0.id,o1_0.price from orders o1_0 where o1_0.id=2500000000 fetch first 1 rows only

select o0_.id as id1_0_, o0_.price as price2_0_ from orders o0_ left outer join roles r1_ on o0_.role_id=r1_.id where o0_.id=2500000000

update orders set price=2500000000, version=version+1 where id=2500000000 and version=2500000000

SELECT "public"."orders"."id", "public"."orders"."price" FROM "public"."orders" WHERE ("public"."orders"."id" = 2500000000 AND 1=1) LIMIT 2500000000 OFFSET 2500000000

SELECT "t0"."id" FROM "public"."orders" AS "t0" LEFT JOIN LATERAL (SELECT COALESCE(JSONB_AGG("__prisma_data__"), '[]') AS "__prisma_data__" FROM (SELECT "t2"."x" FROM "public"."y" AS "t2" WHERE "t2"."k" = 2500000000) AS "t3") AS "j" ON TRUE WHERE "t0"."id" = 2500000000

SELECT orders.id AS orders_id, orders.price AS orders_price 
FROM orders 
WHERE orders.id = 2500000000 
 LIMIT 2500000000

SELECT * FROM "orders" WHERE id = 2500000000 AND "orders"."deleted_at" IS NULL ORDER BY "orders"."id" LIMIT 1

SELECT o0."id", o0."price" FROM "orders" AS o0 WHERE (o0."id" = 2500000000) AND o0."state" = ANY($2)

INSERT INTO orders (id, price) VALUES (2500000000, 2500000000) ON CONFLICT (id) DO UPDATE SET price = EXCLUDED.price RETURNING *

SELECT "orders"."id", "orders"."price", "orders"."state", "orders"."email" FROM "orders" WHERE "orders"."id" = 'abc' LIMIT 21

SELECT COUNT(*) AS "__count" FROM "orders" WHERE ("orders"."price" = 'abc' AND NOT ("orders"."state" IS NULL))

SELECT "orders"."id" FROM "orders" INNER JOIN "auth_user" ON ("orders"."user_id" = "auth_user"."id") WHERE UPPER("auth_user"."username"::text) = UPPER('abc') ORDER BY "orders"."id" DESC

SELECT (1) AS "a" FROM "orders" WHERE "orders"."id" = 'abc' LIMIT 1

UPDATE "orders" SET "price" = 'abc', "state" = NULL WHERE "orders"."id" = 'abc'

INSERT INTO "orders" ("price", "state") VALUES ('abc', 'abc') RETURNING "orders"."id"

SELECT "orders".* FROM "orders" WHERE "orders"."id" = 'abc' LIMIT 1

SELECT 1 AS one FROM "orders" WHERE "orders"."email" = 'abc' AND "orders"."id" != 'abc' LIMIT 1

DELETE FROM "orders" WHERE "orders"."id" = 'abc'

select o1_0.id,o1_0.price from orders o1_0 where o1_0.id='abc' fetch first 1 rows only

select o0_.id as id1_0_, o0_.price as price2_0_ from orders o0_ left outer join roles r1_ on o0_.role_id=r1_.id where o0_.id='abc'

update orders set price='abc', version=version+1 where id='abc' and version='abc'

SELECT "public"."orders"."id", "public"."orders"."price" FROM "public"."orders" WHERE ("public"."orders"."id" = 'abc' AND 1=1) LIMIT 'abc' OFFSET 'abc'

SELECT "t0"."id" FROM "public"."orders" AS "t0" LEFT JOIN LATERAL (SELECT COALESCE(JSONB_AGG("__prisma_data__"), '[]') AS "__prisma_data__" FROM (SELECT "t2"."x" FROM "public"."y" AS "t2" WHERE "t2"."k" = 'abc') AS "t3") AS "j" ON TRUE WHERE "t0"."id" = 'abc'

SELECT orders.id AS orders_id, orders.price AS orders_price 
FROM orders 
WHERE orders.id = 'abc' 
 LIMIT 'abc'

SELECT * FROM "orders" WHERE id = 'abc' AND "orders"."deleted_at" IS NULL ORDER BY "orders"."id" LIMIT 1

SELECT o0."id", o0."price" FROM "orders" AS o0 WHERE (o0."id" = 'abc') AND o0."state" = ANY($2)

INSERT INTO orders (id, price) VALUES ('abc', 'abc') ON CONFLICT (id) DO UPDATE SET price = EXCLUDED.price RETURNING *

SELECT "orders"."id", "orders"."price", "orders"."state", "orders"."email" FROM "orders" WHERE "orders"."id" = $1 LIMIT 21

SELECT COUNT(*) AS "__count" FROM "orders" WHERE ("orders"."price" = $1 AND NOT ("orders"."state" IS NULL))

SELECT "orders"."id" FROM "orders" INNER JOIN "auth_user" ON ("orders"."user_id" = "auth_user"."id") WHERE UPPER("auth_user"."username"::text) = UPPER($1) ORDER BY "orders"."id" DESC

SELECT (1) AS "a" FROM "orders" WHERE "orders"."id" = $1 LIMIT 1

UPDATE "orders" SET "price" = $1, "state" = NULL WHERE "orders"."id" = $1

INSERT INTO "orders" ("price", "state") VALUES ($1, $1) RETURNING "orders"."id"

SELECT "orders".* FROM "orders" WHERE "orders"."id" = $1 LIMIT 1

SELECT 1 AS one FROM "orders" WHERE "orders"."email" = $1 AND "orders"."id" != $1 LIMIT 1

DELETE FROM "orders" WHERE "orders"."id" = $1

select o1_0.id,o1_0.price from orders o1_0 where o1_0.id=$1 fetch first 1 rows only

select o0_.id as id1_0_, o0_.price as price2_0_ from orders o0_ left outer join roles r1_ on o0_.role_id=r1_.id where o0_.id=$1

update orders set price=$1, version=version+1 where id=$1 and version=$1

SELECT "public"."orders"."id", "public"."orders"."price" FROM "public"."orders" WHERE ("public"."orders"."id" = $1 AND 1=1) LIMIT $1 OFFSET $1

SELECT "t0"."id" FROM "public"."orders" AS "t0" LEFT JOIN LATERAL (SELECT COALESCE(JSONB_AGG("__prisma_data__"), '[]') AS "__prisma_data__" FROM (SELECT "t2"."x" FROM "public"."y" AS "t2" WHERE "t2"."k" = $1) AS "t3") AS "j" ON TRUE WHERE "t0"."id" = $1

SELECT orders.id AS orders_id, orders.price AS orders_price 
FROM orders 
WHERE orders.id = $1 
 LIMIT $1

SELECT * FROM "orders" WHERE id = $1 AND "orders"."deleted_at" IS NULL ORDER BY "orders"."id" LIMIT 1

SELECT o0."id", o0."price" FROM "orders" AS o0 WHERE (o0."id" = $1) AND o0."state" = ANY($2)

INSERT INTO orders (id, price) VALUES ($1, $1) ON CONFLICT (id) DO UPDATE SET price = EXCLUDED.price RETURNING *

SELECT "orders".* FROM "orders" WHERE "orders"."id" IN (1, 2, 3)

SELECT "orders".* FROM "orders" WHERE "orders"."id" IN ($1, $2, $3)

select * from orders where id not in (1, 2, 3) and price in ($1, $2, $3)

INSERT INTO orders (id, price) VALUES (1, 'v1'), (2, 'v2'), (3, 'v3')

insert into orders (id, price, state) values ($1,$2,now()), ($3,$4,now()), ($5,$6,now()) returning id

UPDATE orders SET price = v.x FROM (VALUES (1, 1::bigint), (2, 2::bigint), (3, 3::bigint)) AS v (k, x) WHERE orders.id = v.k

SELECT "orders".* FROM "orders" WHERE "orders"."id" IN (4)

SELECT "orders".* FROM "orders" WHERE "orders"."id" IN ($1)

select * from orders where id not in (4) and price in ($1)

INSERT INTO orders (id, price) VALUES (4, 'v4')

insert into orders (id, price, state) values ($1,$2,now()) returning id

UPDATE orders SET price = v.x FROM (VALUES (4, 4::bigint)) AS v (k, x) WHERE orders.id = v.k

SELECT "orders".* FROM "orders" WHERE "orders"."id" IN (10, 20, 30, 40, 50)

SELECT "orders".* FROM "orders" WHERE "orders"."id" IN ($1, $2, $3, $4, $5)

select * from orders where id not in (10, 20, 30, 40, 50) and price in ($1, $2, $3, $4, $5)

INSERT INTO orders (id, price) VALUES (10, 'v10'), (20, 'v20'), (30, 'v30'), (40, 'v40'), (50, 'v50')

insert into orders (id, price, state) values ($1,$2,now()), ($3,$4,now()), ($5,$6,now()), ($7,$8,now()), ($9,$10,now()) returning id

UPDATE orders SET price = v.x FROM (VALUES (10, 10::bigint), (20, 20::bigint), (30, 30::bigint), (40, 40::bigint), (50, 50::bigint)) AS v (k, x) WHERE orders.id = v.k

SELECT "products"."state", "products"."id", "products"."email", "products"."price" FROM "products" WHERE "products"."state" = 1 LIMIT 21

SELECT COUNT(*) AS "__count" FROM "products" WHERE ("products"."id" = 1 AND NOT ("products"."email" IS NULL))

SELECT "products"."state" FROM "products" INNER JOIN "auth_user" ON ("products"."user_id" = "auth_user"."id") WHERE UPPER("auth_user"."username"::text) = UPPER(1) ORDER BY "products"."state" DESC

SELECT (1) AS "a" FROM "products" WHERE "products"."state" = 1 LIMIT 1

UPDATE "products" SET "id" = 1, "email" = NULL WHERE "products"."state" = 1

INSERT INTO "products" ("id", "email") VALUES (1, 1) RETURNING "products"."id"

SELECT "products".* FROM "products" WHERE "products"."state" = 1 LIMIT 1

SELECT 1 AS one FROM "products" WHERE "products"."email" = 1 AND "products"."id" != 1 LIMIT 1

DELETE FROM "products" WHERE "products"."id" = 1

select p1_0.state,p1_0.id from products p1_0 where p1_0.state=1 fetch first 1 rows only

select p0_.state as state1_0_, p0_.id as id2_0_ from products p0_ left outer join roles r1_ on p0_.role_id=r1_.id where p0_.state=1

update products set id=1, version=version+1 where id=1 and version=1

SELECT "public"."products"."state", "public"."products"."id" FROM "public"."products" WHERE ("public"."products"."state" = 1 AND 1=1) LIMIT 1 OFFSET 1

SELECT "t0"."state" FROM "public"."products" AS "t0" LEFT JOIN LATERAL (SELECT COALESCE(JSONB_AGG("__prisma_data__"), '[]') AS "__prisma_data__" FROM (SELECT "t2"."x" FROM "public"."y" AS "t2" WHERE "t2"."k" = 1) AS "t3") AS "j" ON TRUE WHERE "t0"."state" = 1

SELECT products.state AS products_state, products.id AS products_id 
FROM products 
WHERE products.state = 1 
 LIMIT 1

SELECT * FROM "products" WHERE state = 1 AND "products"."deleted_at" IS NULL ORDER BY "products"."id" LIMIT 1

SELECT p0."state", p0."id" FROM "products" AS p0 WHERE (p0."state" = 1) AND p0."state" = ANY($2)

INSERT INTO products (state, id) VALUES (1, 1) ON CONFLICT (state) DO UPDATE SET id = EXCLUDED.id RETURNING *

SELECT "products"."state", "products"."id", "products"."email", "products"."price" FROM "products" WHERE "products"."state" = 2500000000 LIMIT 21

SELECT COUNT(*) AS "__count" FROM "products" WHERE ("products"."id" = 2500000000 AND NOT ("products"."email" IS NULL))

SELECT "products"."state" FROM "products" INNER JOIN "auth_user" ON ("products"."user_id" = "auth_user"."id") WHERE UPPER("auth_user"."username"::text) = UPPER(2500000000) ORDER BY "products"."state" DESC

SELECT (1) AS "a" FROM "products" WHERE "products"."state" = 2500000000 LIMIT 1

UPDATE "products" SET "id" = 2500000000, "email" = NULL WHERE "products"."state" = 2500000000

INSERT INTO "products" ("id", "email") VALUES (2500000000, 2500000000) RETURNING "products"."id"

SELECT "products".* FROM "products" WHERE "products"."state" = 2500000000 LIMIT 1

SELECT 1 AS one FROM "products" WHERE "products"."email" = 2500000000 AND "products"."id" != 2500000000 LIMIT 1

DELETE FROM "products" WHERE "products"."id" = 2500000000

select p1_0.state,p1_0.id from products p1_0 where p1_0.state=2500000000 fetch first 1 rows only

select p0_.state as state1_0_, p0_.id as id2_0_ from products p0_ left outer join roles r1_ on p0_.role_id=r1_.id where p0_.state=2500000000

update products set id=2500000000, version=version+1 where id=2500000000 and version=2500000000

SELECT "public"."products"."state", "public"."products"."id" FROM "public"."products" WHERE ("public"."products"."state" = 2500000000 AND 1=1) LIMIT 2500000000 OFFSET 2500000000

SELECT "t0"."state" FROM "public"."products" AS "t0" LEFT JOIN LATERAL (SELECT COALESCE(JSONB_AGG("__prisma_data__"), '[]') AS "__prisma_data__" FROM (SELECT "t2"."x" FROM "public"."y" AS "t2" WHERE "t2"."k" = 2500000000) AS "t3") AS "j" ON TRUE WHERE "t0"."state" = 2500000000

SELECT products.state AS products_state, products.id AS products_id 
FROM products 
WHERE products.state = 2500000000 
 LIMIT 2500000000

SELECT * FROM "products" WHERE state = 2500000000 AND "products"."deleted_at" IS NULL ORDER BY "products"."id" LIMIT 1

SELECT p0."state", p0."id" FROM "products" AS p0 WHERE (p0."state" = 2500000000) AND p0."state" = ANY($2)

INSERT INTO products (state, id) VALUES (2500000000, 2500000000) ON CONFLICT (state) DO UPDATE SET id = EXCLUDED.id RETURNING *

SELECT "products"."state", "products"."id", "products"."email", "products"."price" FROM "products" WHERE "products"."state" = 'abc' LIMIT 21

SELECT COUNT(*) AS "__count" FROM "products" WHERE ("products"."id" = 'abc' AND NOT ("products"."email" IS NULL))

SELECT "products"."state" FROM "products" INNER JOIN "auth_user" ON ("products"."user_id" = "auth_user"."id") WHERE UPPER("auth_user"."username"::text) = UPPER('abc') ORDER BY "products"."state" DESC

SELECT (1) AS "a" FROM "products" WHERE "products"."state" = 'abc' LIMIT 1

UPDATE "products" SET "id" = 'abc', "email" = NULL WHERE "products"."state" = 'abc'

INSERT INTO "products" ("id", "email") VALUES ('abc', 'abc') RETURNING "products"."id"

SELECT "products".* FROM "products" WHERE "products"."state" = 'abc' LIMIT 1

SELECT 1 AS one FROM "products" WHERE "products"."email" = 'abc' AND "products"."id" != 'abc' LIMIT 1

DELETE FROM "products" WHERE "products"."id" = 'abc'

select p1_0.state,p1_0.id from products p1_0 where p1_0.state='abc' fetch first 1 rows only

select p0_.state as state1_0_, p0_.id as id2_0_ from products p0_ left outer join roles r1_ on p0_.role_id=r1_.id where p0_.state='abc'

update products set id='abc', version=version+1 where id='abc' and version='abc'

SELECT "public"."products"."state", "public"."products"."id" FROM "public"."products" WHERE ("public"."products"."state" = 'abc' AND 1=1) LIMIT 'abc' OFFSET 'abc'

SELECT "t0"."state" FROM "public"."products" AS "t0" LEFT JOIN LATERAL (SELECT COALESCE(JSONB_AGG("__prisma_data__"), '[]') AS "__prisma_data__" FROM (SELECT "t2"."x" FROM "public"."y" AS "t2" WHERE "t2"."k" = 'abc') AS "t3") AS "j" ON TRUE WHERE "t0"."state" = 'abc'

SELECT products.state AS products_state, products.id AS products_id 
FROM products 
WHERE products.state = 'abc' 
 LIMIT 'abc'

SELECT * FROM "products" WHERE state = 'abc' AND "products"."deleted_at" IS NULL ORDER BY "products"."id" LIMIT 1

SELECT p0."state", p0."id" FROM "products" AS p0 WHERE (p0."state" = 'abc') AND p0."state" = ANY($2)

INSERT INTO products (state, id) VALUES ('abc', 'abc') ON CONFLICT (state) DO UPDATE SET id = EXCLUDED.id RETURNING *

SELECT "products"."state", "products"."id", "products"."email", "products"."price" FROM "products" WHERE "products"."state" = $1 LIMIT 21

SELECT COUNT(*) AS "__count" FROM "products" WHERE ("products"."id" = $1 AND NOT ("products"."email" IS NULL))

SELECT "products"."state" FROM "products" INNER JOIN "auth_user" ON ("products"."user_id" = "auth_user"."id") WHERE UPPER("auth_user"."username"::text) = UPPER($1) ORDER BY "products"."state" DESC

SELECT (1) AS "a" FROM "products" WHERE "products"."state" = $1 LIMIT 1

UPDATE "products" SET "id" = $1, "email" = NULL WHERE "products"."state" = $1

INSERT INTO "products" ("id", "email") VALUES ($1, $1) RETURNING "products"."id"

SELECT "products".* FROM "products" WHERE "products"."state" = $1 LIMIT 1

SELECT 1 AS one FROM "products" WHERE "products"."email" = $1 AND "products"."id" != $1 LIMIT 1

DELETE FROM "products" WHERE "products"."id" = $1

select p1_0.state,p1_0.id from products p1_0 where p1_0.state=$1 fetch first 1 rows only

select p0_.state as state1_0_, p0_.id as id2_0_ from products p0_ left outer join roles r1_ on p0_.role_id=r1_.id where p0_.state=$1

update products set id=$1, version=version+1 where id=$1 and version=$1

SELECT "public"."products"."state", "public"."products"."id" FROM "public"."products" WHERE ("public"."products"."state" = $1 AND 1=1) LIMIT $1 OFFSET $1

SELECT "t0"."state" FROM "public"."products" AS "t0" LEFT JOIN LATERAL (SELECT COALESCE(JSONB_AGG("__prisma_data__"), '[]') AS "__prisma_data__" FROM (SELECT "t2"."x" FROM "public"."y" AS "t2" WHERE "t2"."k" = $1) AS "t3") AS "j" ON TRUE WHERE "t0"."state" = $1

SELECT products.state AS products_state, products.id AS products_id 
FROM products 
WHERE products.state = $1 
 LIMIT $1

SELECT * FROM "products" WHERE state = $1 AND "products"."deleted_at" IS NULL ORDER BY "products"."id" LIMIT 1

SELECT p0."state", p0."id" FROM "products" AS p0 WHERE (p0."state" = $1) AND p0."state" = ANY($2)

INSERT INTO products (state, id) VALUES ($1, $1) ON CONFLICT (state) DO UPDATE SET id = EXCLUDED.id RETURNING *

SELECT "products".* FROM "products" WHERE "products"."id" IN (1, 2, 3)

SELECT "products".* FROM "products" WHERE "products"."id" IN ($1, $2, $3)

select * from products where state not in (1, 2, 3) and id in ($1, $2, $3)

INSERT INTO products (state, id) VALUES (1, 'v1'), (2, 'v2'), (3, 'v3')

insert into products (state, id, email) values ($1,$2,now()), ($3,$4,now()), ($5,$6,now()) returning id

UPDATE products SET id = v.x FROM (VALUES (1, 1::bigint), (2, 2::bigint), (3, 3::bigint)) AS v (k, x) WHERE products.id = v.k

SELECT "products".* FROM "products" WHERE "products"."id" IN (4)

SELECT "products".* FROM "products" WHERE "products"."id" IN ($1)

select * from products where state not in (4) and id in ($1)

INSERT INTO products (state, id) VALUES (4, 'v4')

insert into products (state, id, email) values ($1,$2,now()) returning id

UPDATE products SET id = v.x FROM (VALUES (4, 4::bigint)) AS v (k, x) WHERE products.id = v.k

SELECT "products".* FROM "products" WHERE "products"."id" IN (10, 20, 30, 40, 50)

SELECT "products".* FROM "products" WHERE "products"."id" IN ($1, $2, $3, $4, $5)

select * from products where state not in (10, 20, 30, 40, 50) and id in ($1, $2, $3, $4, $5)

INSERT INTO products (state, id) VALUES (10, 'v10'), (20, 'v20'), (30, 'v30'), (40, 'v40'), (50, 'v50')

insert into products (state, id, email) values ($1,$2,now()), ($3,$4,now()), ($5,$6,now()), ($7,$8,now()), ($9,$10,now()) returning id

UPDATE products SET id = v.x FROM (VALUES (10, 10::bigint), (20, 20::bigint), (30, 30::bigint), (40, 40::bigint), (50, 50::bigint)) AS v (k, x) WHERE products.id = v.k

SELECT "auth_permission"."id", "auth_permission"."user_id", "auth_permission"."state", "auth_permission"."price" FROM "auth_permission" WHERE "auth_permission"."id" = 1 LIMIT 21

SELECT COUNT(*) AS "__count" FROM "auth_permission" WHERE ("auth_permission"."user_id" = 1 AND NOT ("auth_permission"."state" IS NULL))

SELECT "auth_permission"."id" FROM "auth_permission" INNER JOIN "auth_user" ON ("auth_permission"."user_id" = "auth_user"."id") WHERE UPPER("auth_user"."username"::text) = UPPER(1) ORDER BY "auth_permission"."id" DESC

SELECT (1) AS "a" FROM "auth_permission" WHERE "auth_permission"."id" = 1 LIMIT 1

UPDATE "auth_permission" SET "user_id" = 1, "state" = NULL WHERE "auth_permission"."id" = 1

INSERT INTO "auth_permission" ("user_id", "state") VALUES (1, 1) RETURNING "auth_permission"."id"

SELECT "auth_permission".* FROM "auth_permission" WHERE "auth_permission"."id" = 1 LIMIT 1

SELECT 1 AS one FROM "auth_permission" WHERE "auth_permission"."email" = 1 AND "auth_permission"."id" != 1 LIMIT 1

DELETE FROM "auth_permission" WHERE "auth_permission"."id" = 1

select a1_0.id,a1_0.user_id from auth_permission a1_0 where a1_0.id=1 fetch first 1 rows only

select a0_.id as id1_0_, a0_.user_id as user_id2_0_ from auth_permission a0_ left outer join roles r1_ on a0_.role_id=r1_.id where a0_.id=1

update auth_permission set user_id=1, version=version+1 where id=1 and version=1

SELECT "public"."auth_permission"."id", "public"."auth_permission"."user_id" FROM "public"."auth_permission" WHERE ("public"."auth_permission"."id" = 1 AND 1=1) LIMIT 1 OFFSET 1

SELECT "t0"."id" FROM "public"."auth_permission" AS "t0" LEFT JOIN LATERAL (SELECT COALESCE(JSONB_AGG("__prisma_data__"), '[]') AS "__prisma_data__" FROM (SELECT "t2"."x" FROM "public"."y" AS "t2" WHERE "t2"."k" = 1) AS "t3") AS "j" ON TRUE WHERE "t0"."id" = 1

SELECT auth_permission.id AS auth_permission_id, auth_permission.user_id AS auth_permission_user_id 
FROM auth_permission 
WHERE auth_permission.id = 1 
 LIMIT 1

SELECT * FROM "auth_permission" WHERE id = 1 AND "auth_permission"."deleted_at" IS NULL ORDER BY "auth_permission"."id" LIMIT 1

SELECT a0."id", a0."user_id" FROM "auth_permission" AS a0 WHERE (a0."id" = 1) AND a0."state" = ANY($2)

INSERT INTO auth_permission (id, user_id) VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET user_id = EXCLUDED.user_id RETURNING *

SELECT "auth_permission"."id", "auth_permission"."user_id", "auth_permission"."state", "auth_permission"."price" FROM "auth_permission" WHERE "auth_permission"."id" = 2500000000 LIMIT 21

SELECT COUNT(*) AS "__count" FROM "auth_permission" WHERE ("auth_permission"."user_id" = 2500000000 AND NOT ("auth_permission"."state" IS NULL))

SELECT "auth_permission"."id" FROM "auth_permission" INNER JOIN "auth_user" ON ("auth_permission"."user_id" = "auth_user"."id") WHERE UPPER("auth_user"."username"::text) = UPPER(2500000000) ORDER BY "auth_permission"."id" DESC

SELECT (1) AS "a" FROM "auth_permission" WHERE "auth_permission"."id" = 2500000000 LIMIT 1

UPDATE "auth_permission" SET "user_id" = 2500000000, "state" = NULL WHERE "auth_permission"."id" = 2500000000

INSERT INTO "auth_permission" ("user_id", "state") VALUES (2500000000, 2500000000) RETURNING "auth_permission"."id"

SELECT "auth_permission".* FROM "auth_permission" WHERE "auth_permission"."id" = 2500000000 LIMIT 1

SELECT 1 AS one FROM "auth_permission" WHERE "auth_permission"."email" = 2500000000 AND "auth_permission"."id" != 2500000000 LIMIT 1

DELETE FROM "auth_permission" WHERE "auth_permission"."id" = 2500000000

select a1_0.id,a1_0.user_id from auth_permission a1_0 where a1_0.id=2500000000 fetch first 1 rows only

select a0_.id as id1_0_, a0_.user_id as user_id2_0_ from auth_permission a0_ left outer join roles r1_ on a0_.role_id=r1_.id where a0_.id=2500000000

update auth_permission set user_id=2500000000, version=version+1 where id=2500000000 and version=2500000000

SELECT "public"."auth_permission"."id", "public"."auth_permission"."user_id" FROM "public"."auth_permission" WHERE ("public"."auth_permission"."id" = 2500000000 AND 1=1) LIMIT 2500000000 OFFSET 2500000000

SELECT "t0"."id" FROM "public"."auth_permission" AS "t0" LEFT JOIN LATERAL (SELECT COALESCE(JSONB_AGG("__prisma_data__"), '[]') AS "__prisma_data__" FROM (SELECT "t2"."x" FROM "public"."y" AS "t2" WHERE "t2"."k" = 2500000000) AS "t3") AS "j" ON TRUE WHERE "t0"."id" = 2500000000

SELECT auth_permission.id AS auth_permission_id, auth_permission.user_id AS auth_permission_user_id 
FROM auth_permission 
WHERE auth_permission.id = 2500000000 
 LIMIT 2500000000

SELECT * FROM "auth_permission" WHERE id = 2500000000 AND "auth_permission"."deleted_at" IS NULL ORDER BY "auth_permission"."id" LIMIT 1

SELECT a0."id", a0."user_id" FROM "auth_permission" AS a0 WHERE (a0."id" = 2500000000) AND a0."state" = ANY($2)

INSERT INTO auth_permission (id, user_id) VALUES (2500000000, 2500000000) ON CONFLICT (id) DO UPDATE SET user_id = EXCLUDED.user_id RETURNING *

SELECT "auth_permission"."id", "auth_permission"."user_id", "auth_permission"."state", "auth_permission"."price" FROM "auth_permission" WHERE "auth_permission"."id" = 'abc' LIMIT 21

SELECT COUNT(*) AS "__count" FROM "auth_permission" WHERE ("auth_permission"."user_id" = 'abc' AND NOT ("auth_permission"."state" IS NULL))

SELECT "auth_permission"."id" FROM "auth_permission" INNER JOIN "auth_user" ON ("auth_permission"."user_id" = "auth_user"."id") WHERE UPPER("auth_user"."username"::text) = UPPER('abc') ORDER BY "auth_permission"."id" DESC

SELECT (1) AS "a" FROM "auth_permission" WHERE "auth_permission"."id" = 'abc' LIMIT 1

UPDATE "auth_permission" SET "user_id" = 'abc', "state" = NULL WHERE "auth_permission"."id" = 'abc'

INSERT INTO "auth_permission" ("user_id", "state") VALUES ('abc', 'abc') RETURNING "auth_permission"."id"

SELECT "auth_permission".* FROM "auth_permission" WHERE "auth_permission"."id" = 'abc' LIMIT 1

SELECT 1 AS one FROM "auth_permission" WHERE "auth_permission"."email" = 'abc' AND "auth_permission"."id" != 'abc' LIMIT 1

DELETE FROM "auth_permission" WHERE "auth_permission"."id" = 'abc'

select a1_0.id,a1_0.user_id from auth_permission a1_0 where a1_0.id='abc' fetch first 1 rows only

select a0_.id as id1_0_, a0_.user_id as user_id2_0_ from auth_permission a0_ left outer join roles r1_ on a0_.role_id=r1_.id where a0_.id='abc'

update auth_permission set user_id='abc', version=version+1 where id='abc' and version='abc'

SELECT "public"."auth_permission"."id", "public"."auth_permission"."user_id" FROM "public"."auth_permission" WHERE ("public"."auth_permission"."id" = 'abc' AND 1=1) LIMIT 'abc' OFFSET 'abc'

SELECT "t0"."id" FROM "public"."auth_permission" AS "t0" LEFT JOIN LATERAL (SELECT COALESCE(JSONB_AGG("__prisma_data__"), '[]') AS "__prisma_data__" FROM (SELECT "t2"."x" FROM "public"."y" AS "t2" WHERE "t2"."k" = 'abc') AS "t3") AS "j" ON TRUE WHERE "t0"."id" = 'abc'

SELECT auth_permission.id AS auth_permission_id, auth_permission.user_id AS auth_permission_user_id 
FROM auth_permission 
WHERE auth_permission.id = 'abc' 
 LIMIT 'abc'

SELECT * FROM "auth_permission" WHERE id = 'abc' AND "auth_permission"."deleted_at" IS NULL ORDER BY "auth_permission"."id" LIMIT 1

SELECT a0."id", a0."user_id" FROM "auth_permission" AS a0 WHERE (a0."id" = 'abc') AND a0."state" = ANY($2)

INSERT INTO auth_permission (id, user_id) VALUES ('abc', 'abc') ON CONFLICT (id) DO UPDATE SET user_id = EXCLUDED.user_id RETURNING *

SELECT "auth_permission"."id", "auth_permission"."user_id", "auth_permission"."state", "auth_permission"."price" FROM "auth_permission" WHERE "auth_permission"."id" = $1 LIMIT 21

SELECT COUNT(*) AS "__count" FROM "auth_permission" WHERE ("auth_permission"."user_id" = $1 AND NOT ("auth_permission"."state" IS NULL))

SELECT "auth_permission"."id" FROM "auth_permission" INNER JOIN "auth_user" ON ("auth_permission"."user_id" = "auth_user"."id") WHERE UPPER("auth_user"."username"::text) = UPPER($1) ORDER BY "auth_permission"."id" DESC

SELECT (1) AS "a" FROM "auth_permission" WHERE "auth_permission"."id" = $1 LIMIT 1

UPDATE "auth_permission" SET "user_id" = $1, "state" = NULL WHERE "auth_permission"."id" = $1

INSERT INTO "auth_permission" ("user_id", "state") VALUES ($1, $1) RETURNING "auth_permission"."id"

SELECT "auth_permission".* FROM "auth_permission" WHERE "auth_permission"."id" = $1 LIMIT 1

SELECT 1 AS one FROM "auth_permission" WHERE "auth_permission"."email" = $1 AND "auth_permission"."id" != $1 LIMIT 1

DELETE FROM "auth_permission" WHERE "auth_permission"."id" = $1

select a1_0.id,a1_0.user_id from auth_permission a1_0 where a1_0.id=$1 fetch first 1 rows only

select a0_.id as id1_0_, a0_.user_id as user_id2_0_ from auth_permission a0_ left outer join roles r1_ on a0_.role_id=r1_.id where a0_.id=$1

update auth_permission set user_id=$1, version=version+1 where id=$1 and version=$1

SELECT "public"."auth_permission"."id", "public"."auth_permission"."user_id" FROM "public"."auth_permission" WHERE ("public"."auth_permission"."id" = $1 AND 1=1) LIMIT $1 OFFSET $1

SELECT "t0"."id" FROM "public"."auth_permission" AS "t0" LEFT JOIN LATERAL (SELECT COALESCE(JSONB_AGG("__prisma_data__"), '[]') AS "__prisma_data__" FROM (SELECT "t2"."x" FROM "public"."y" AS "t2" WHERE "t2"."k" = $1) AS "t3") AS "j" ON TRUE WHERE "t0"."id" = $1

SELECT auth_permission.id AS auth_permission_id, auth_permission.user_id AS auth_permission_user_id 
FROM auth_permission 
WHERE auth_permission.id = $1 
 LIMIT $1

SELECT * FROM "auth_permission" WHERE id = $1 AND "auth_permission"."deleted_at" IS NULL ORDER BY "auth_permission"."id" LIMIT 1

SELECT a0."id", a0."user_id" FROM "auth_permission" AS a0 WHERE (a0."id" = $1) AND a0."state" = ANY($2)

INSERT INTO auth_permission (id, user_id) VALUES ($1, $1) ON CONFLICT (id) DO UPDATE SET user_id = EXCLUDED.user_id RETURNING *

SELECT "auth_permission".* FROM "auth_permission" WHERE "auth_permission"."id" IN (1, 2, 3)

SELECT "auth_permission".* FROM "auth_permission" WHERE "auth_permission"."id" IN ($1, $2, $3)

select * from auth_permission where id not in (1, 2, 3) and user_id in ($1, $2, $3)

INSERT INTO auth_permission (id, user_id) VALUES (1, 'v1'), (2, 'v2'), (3, 'v3')

insert into auth_permission (id, user_id, state) values ($1,$2,now()), ($3,$4,now()), ($5,$6,now()) returning id

UPDATE auth_permission SET user_id = v.x FROM (VALUES (1, 1::bigint), (2, 2::bigint), (3, 3::bigint)) AS v (k, x) WHERE auth_permission.id = v.k

SELECT "auth_permission".* FROM "auth_permission" WHERE "auth_permission"."id" IN (4)

SELECT "auth_permission".* FROM "auth_permission" WHERE "auth_permission"."id" IN ($1)

select * from auth_permission where id not in (4) and user_id in ($1)

INSERT INTO auth_permission (id, user_id) VALUES (4, 'v4')

insert into auth_permission (id, user_id, state) values ($1,$2,now()) returning id

UPDATE auth_permission SET user_id = v.x FROM (VALUES (4, 4::bigint)) AS v (k, x) WHERE auth_permission.id = v.k

SELECT "auth_permission".* FROM "auth_permission" WHERE "auth_permission"."id" IN (10, 20, 30, 40, 50)

SELECT "auth_permission".* FROM "auth_permission" WHERE "auth_permission"."id" IN ($1, $2, $3, $4, $5)

select * from auth_permission where id not in (10, 20, 30, 40, 50) and user_id in ($1, $2, $3, $4, $5)

INSERT INTO auth_permission (id, user_id) VALUES (10, 'v10'), (20, 'v20'), (30, 'v30'), (40, 'v40'), (50, 'v50')

insert into auth_permission (id, user_id, state) values ($1,$2,now()), ($3,$4,now()), ($5,$6,now()), ($7,$8,now()), ($9,$10,now()) returning id

UPDATE auth_permission SET user_id = v.x FROM (VALUES (10, 10::bigint), (20, 20::bigint), (30, 30::bigint), (40, 40::bigint), (50, 50::bigint)) AS v (k, x) WHERE auth_permission.id = v.k

SELECT "blog_posts"."email", "blog_posts"."id", "blog_posts"."user_id", "blog_posts"."state" FROM "blog_posts" WHERE "blog_posts"."email" = 1 LIMIT 21

SELECT COUNT(*) AS "__count" FROM "blog_posts" WHERE ("blog_posts"."id" = 1 AND NOT ("blog_posts"."user_id" IS NULL))

SELECT "blog_posts"."email" FROM "blog_posts" INNER JOIN "auth_user" ON ("blog_posts"."user_id" = "auth_user"."id") WHERE UPPER("auth_user"."username"::text) = UPPER(1) ORDER BY "blog_posts"."email" DESC

SELECT (1) AS "a" FROM "blog_posts" WHERE "blog_posts"."email" = 1 LIMIT 1

UPDATE "blog_posts" SET "id" = 1, "user_id" = NULL WHERE "blog_posts"."email" = 1

INSERT INTO "blog_posts" ("id", "user_id") VALUES (1, 1) RETURNING "blog_posts"."id"

SELECT "blog_posts".* FROM "blog_posts" WHERE "blog_posts"."email" = 1 LIMIT 1

SELECT 1 AS one FROM "blog_posts" WHERE "blog_posts"."email" = 1 AND "blog_posts"."id" != 1 LIMIT 1

DELETE FROM "blog_posts" WHERE "blog_posts"."id" = 1

select b1_0.email,b1_0.id from blog_posts b1_0 where b1_0.email=1 fetch first 1 rows only

select b0_.email as email1_0_, b0_.id as id2_0_ from blog_posts b0_ left outer join roles r1_ on b0_.role_id=r1_.id where b0_.email=1

update blog_posts set id=1, version=version+1 where id=1 and version=1

SELECT "public"."blog_posts"."email", "public"."blog_posts"."id" FROM "public"."blog_posts" WHERE ("public"."blog_posts"."email" = 1 AND 1=1) LIMIT 1 OFFSET 1

SELECT "t0"."email" FROM "public"."blog_posts" AS "t0" LEFT JOIN LATERAL (SELECT COALESCE(JSONB_AGG("__prisma_data__"), '[]') AS "__prisma_data__" FROM (SELECT "t2"."x" FROM "public"."y" AS "t2" WHERE "t2"."k" = 1) AS "t3") AS "j" ON TRUE WHERE "t0"."email" = 1

SELECT blog_posts.email AS blog_posts_email, blog_posts.id AS blog_posts_id 
FROM blog_posts 
WHERE blog_posts.email = 1 
 LIMIT 1

SELECT * FROM "blog_posts" WHERE email = 1 AND "blog_posts"."deleted_at" IS NULL ORDER BY "blog_posts"."id" LIMIT 1

SELECT b0."email", b0."id" FROM "blog_posts" AS b0 WHERE (b0."email" = 1) AND b0."state" = ANY($2)

INSERT INTO blog_posts (email, id) VALUES (1, 1) ON CONFLICT (email) DO UPDATE SET id = EXCLUDED.id RETURNING *

SELECT "blog_posts"."email", "blog_posts"."id", "blog_posts"."user_id", "blog_posts"."state" FROM "blog_posts" WHERE "blog_posts"."email" = 2500000000 LIMIT 21

SELECT COUNT(*) AS "__count" FROM "blog_posts" WHERE ("blog_posts"."id" = 2500000000 AND NOT ("blog_posts"."user_id" IS NULL))

SELECT "blog_posts"."email" FROM "blog_posts" INNER JOIN "auth_user" ON ("blog_posts"."user_id" = "auth_user"."id") WHERE UPPER("auth_user"."username"::text) = UPPER(2500000000) ORDER BY "blog_posts"."email" DESC

SELECT (1) AS "a" FROM "blog_posts" WHERE "blog_posts"."email" = 2500000000 LIMIT 1

UPDATE "blog_posts" SET "id" = 2500000000, "user_id" = NULL WHERE "blog_posts"."email" = 2500000000

INSERT INTO "blog_posts" ("id", "user_id") VALUES (2500000000, 2500000000) RETURNING "blog_posts"."id"

SELECT "blog_posts".* FROM "blog_posts" WHERE "blog_posts"."email" = 2500000000 LIMIT 1

SELECT 1 AS one FROM "blog_posts" WHERE "blog_posts"."email" = 2500000000 AND "blog_posts"."id" != 2500000000 LIMIT 1

DELETE FROM "blog_posts" WHERE "blog_posts"."id" = 2500000000

select b1_0.email,b1_0.id from blog_posts b1_0 where b1_0.email=2500000000 fetch first 1 rows only

select b0_.email as email1_0_, b0_.id as id2_0_ from blog_posts b0_ left outer join roles r1_ on b0_.role_id=r1_.id where b0_.email=2500000000

update blog_posts set id=2500000000, version=version+1 where id=2500000000 and version=2500000000

SELECT "public"."blog_posts"."email", "public"."blog_posts"."id" FROM "public"."blog_posts" WHERE ("public"."blog_posts"."email" = 2500000000 AND 1=1) LIMIT 2500000000 OFFSET 2500000000

SELECT "t0"."email" FROM "public"."blog_posts" AS "t0" LEFT JOIN LATERAL (SELECT COALESCE(JSONB_AGG("__prisma_data__"), '[]') AS "__prisma_data__" FROM (SELECT "t2"."x" FROM "public"."y" AS "t2" WHERE "t2"."k" = 2500000000) AS "t3") AS "j" ON TRUE WHERE "t0"."email" = 2500000000

SELECT blog_posts.email AS blog_posts_email, blog_posts.id AS blog_posts_id 
FROM blog_posts 
WHERE blog_posts.email = 2500000000 
 LIMIT 2500000000

SELECT * FROM "blog_posts" WHERE email = 2500000000 AND "blog_posts"."deleted_at" IS NULL ORDER BY "blog_posts"."id" LIMIT 1

SELECT b0."email", b0."id" FROM "blog_posts" AS b0 WHERE (b0."email" = 2500000000) AND b0."state" = ANY($2)

INSERT INTO blog_posts (email, id) VALUES (2500000000, 2500000000) ON CONFLICT (email) DO UPDATE SET id = EXCLUDED.id RETURNING *

SELECT "blog_posts"."email", "blog_posts"."id", "blog_posts"."user_id", "blog_posts"."state" FROM "blog_posts" WHERE "blog_posts"."email" = 'abc' LIMIT 21

SELECT COUNT(*) AS "__count" FROM "blog_posts" WHERE ("blog_posts"."id" = 'abc' AND NOT ("blog_posts"."user_id" IS NULL))

SELECT "blog_posts"."email" FROM "blog_posts" INNER JOIN "auth_user" ON ("blog_posts"."user_id" = "auth_user"."id") WHERE UPPER("auth_user"."username"::text) = UPPER('abc') ORDER BY "blog_posts"."email" DESC

SELECT (1) AS "a" FROM "blog_posts" WHERE "blog_posts"."email" = 'abc' LIMIT 1

UPDATE "blog_posts" SET "id" = 'abc', "user_id" = NULL WHERE "blog_posts"."email" = 'abc'

INSERT INTO "blog_posts" ("id", "user_id") VALUES ('abc', 'abc') RETURNING "blog_posts"."id"

SELECT "blog_posts".* FROM "blog_posts" WHERE "blog_posts"."email" = 'abc' LIMIT 1

SELECT 1 AS one FROM "blog_posts" WHERE "blog_posts"."email" = 'abc' AND "blog_posts"."id" != 'abc' LIMIT 1

DELETE FROM "blog_posts" WHERE "blog_posts"."id" = 'abc'

select b1_0.email,b1_0.id from blog_posts b1_0 where b1_0.email='abc' fetch first 1 rows only

select b0_.email as email1_0_, b0_.id as id2_0_ from blog_posts b0_ left outer join roles r1_ on b0_.role_id=r1_.id where b0_.email='abc'

update blog_posts set id='abc', version=version+1 where id='abc' and version='abc'

SELECT "public"."blog_posts"."email", "public"."blog_posts"."id" FROM "public"."blog_posts" WHERE ("public"."blog_posts"."email" = 'abc' AND 1=1) LIMIT 'abc' OFFSET 'abc'

SELECT "t0"."email" FROM "public"."blog_posts" AS "t0" LEFT JOIN LATERAL (SELECT COALESCE(JSONB_AGG("__prisma_data__"), '[]') AS "__prisma_data__" FROM (SELECT "t2"."x" FROM "public"."y" AS "t2" WHERE "t2"."k" = 'abc') AS "t3") AS "j" ON TRUE WHERE "t0"."email" = 'abc'

SELECT blog_posts.email AS blog_posts_email, blog_posts.id AS blog_posts_id 
FROM blog_posts 
WHERE blog_posts.email = 'abc' 
 LIMIT 'abc'

SELECT * FROM "blog_posts" WHERE email = 'abc' AND "blog_posts"."deleted_at" IS NULL ORDER BY "blog_posts"."id" LIMIT 1

SELECT b0."email", b0."id" FROM "blog_posts" AS b0 WHERE (b0."email" = 'abc') AND b0."state" = ANY($2)

INSERT INTO blog_posts (email, id) VALUES ('abc', 'abc') ON CONFLICT (email) DO UPDATE SET id = EXCLUDED.id RETURNING *

SELECT "blog_posts"."email", "blog_posts"."id", "blog_posts"."user_id", "blog_posts"."state" FROM "blog_posts" WHERE "blog_posts"."email" = $1 LIMIT 21

SELECT COUNT(*) AS "__count" FROM "blog_posts" WHERE ("blog_posts"."id" = $1 AND NOT ("blog_posts"."user_id" IS NULL))

SELECT "blog_posts"."email" FROM "blog_posts" INNER JOIN "auth_user" ON ("blog_posts"."user_id" = "auth_user"."id") WHERE UPPER("auth_user"."username"::text) = UPPER($1) ORDER BY "blog_posts"."email" DESC

SELECT (1) AS "a" FROM "blog_posts" WHERE "blog_posts"."email" = $1 LIMIT 1

UPDATE "blog_posts" SET "id" = $1, "user_id" = NULL WHERE "blog_posts"."email" = $1

INSERT INTO "blog_posts" ("id", "user_id") VALUES ($1, $1) RETURNING "blog_posts"."id"

SELECT "blog_posts".* FROM "blog_posts" WHERE "blog_posts"."email" = $1 LIMIT 1

SELECT 1 AS one FROM "blog_posts" WHERE "blog_posts"."email" = $1 AND "blog_posts"."id" != $1 LIMIT 1

DELETE FROM "blog_posts" WHERE "blog_posts"."id" = $1

select b1_0.email,b1_0.id from blog_posts b1_0 where b1_0.email=$1 fetch first 1 rows only

select b0_.email as email1_0_, b0_.id as id2_0_ from blog_posts b0_ left outer join roles r1_ on b0_.role_id=r1_.id where b0_.email=$1

update blog_posts set id=$1, version=version+1 where id=$1 and version=$1

SELECT "public"."blog_posts"."email", "public"."blog_posts"."id" FROM "public"."blog_posts" WHERE ("public"."blog_posts"."email" = $1 AND 1=1) LIMIT $1 OFFSET $1

SELECT "t0"."email" FROM "public"."blog_posts" AS "t0" LEFT JOIN LATERAL (SELECT COALESCE(JSONB_AGG("__prisma_data__"), '[]') AS "__prisma_data__" FROM (SELECT "t2"."x" FROM "public"."y" AS "t2" WHERE "t2"."k" = $1) AS "t3") AS "j" ON TRUE WHERE "t0"."email" = $1

SELECT blog_posts.email AS blog_posts_email, blog_posts.id AS blog_posts_id 
FROM blog_posts 
WHERE blog_posts.email = $1 
 LIMIT $1

SELECT * FROM "blog_posts" WHERE email = $1 AND "blog_posts"."deleted_at" IS NULL ORDER BY "blog_posts"."id" LIMIT 1

SELECT b0."email", b0."id" FROM "blog_posts" AS b0 WHERE (b0."email" = $1) AND b0."state" = ANY($2)

INSERT INTO blog_posts (email, id) VALUES ($1, $1) ON CONFLICT (email) DO UPDATE SET id = EXCLUDED.id RETURNING *

SELECT "blog_posts".* FROM "blog_posts" WHERE "blog_posts"."id" IN (1, 2, 3)

SELECT "blog_posts".* FROM "blog_posts" WHERE "blog_posts"."id" IN ($1, $2, $3)

select * from blog_posts where email not in (1, 2, 3) and id in ($1, $2, $3)

INSERT INTO blog_posts (email, id) VALUES (1, 'v1'), (2, 'v2'), (3, 'v3')

insert into blog_posts (email, id, user_id) values ($1,$2,now()), ($3,$4,now()), ($5,$6,now()) returning id

UPDATE blog_posts SET id = v.x FROM (VALUES (1, 1::bigint), (2, 2::bigint), (3, 3::bigint)) AS v (k, x) WHERE blog_posts.id = v.k

SELECT "blog_posts".* FROM "blog_posts" WHERE "blog_posts"."id" IN (4)

SELECT "blog_posts".* FROM "blog_posts" WHERE "blog_posts"."id" IN ($1)

select * from blog_posts where email not in (4) and id in ($1)

INSERT INTO blog_posts (email, id) VALUES (4, 'v4')

insert into blog_posts (email, id, user_id) values ($1,$2,now()) returning id

UPDATE blog_posts SET id = v.x FROM (VALUES (4, 4::bigint)) AS v (k, x) WHERE blog_posts.id = v.k

SELECT "blog_posts".* FROM "blog_posts" WHERE "blog_posts"."id" IN (10, 20, 30, 40, 50)

SELECT "blog_posts".* FROM "blog_posts" WHERE "blog_posts"."id" IN ($1, $2, $3, $4, $5)

select * from blog_posts where email not in (10, 20, 30, 40, 50) and id in ($1, $2, $3, $4, $5)

INSERT INTO blog_posts (email, id) VALUES (10, 'v10'), (20, 'v20'), (30, 'v30'), (40, 'v40'), (50, 'v50')

insert into blog_posts (email, id, user_id) values ($1,$2,now()), ($3,$4,now()), ($5,$6,now()), ($7,$8,now()), ($9,$10,now()) returning id

UPDATE blog_posts SET id = v.x FROM (VALUES (10, 10::bigint), (20, 20::bigint), (30, 30::bigint), (40, 40::bigint), (50, 50::bigint)) AS v (k, x) WHERE blog_posts.id = v.k

SELECT "line_items"."state", "line_items"."id", "line_items"."email", "line_items"."created_at" FROM "line_items" WHERE "line_items"."state" = 1 LIMIT 21

SELECT COUNT(*) AS "__count" FROM "line_items" WHERE ("line_items"."id" = 1 AND NOT ("line_items"."email" IS NULL))

SELECT "line_items"."state" FROM "line_items" INNER JOIN "auth_user" ON ("line_items"."user_id" = "auth_user"."id") WHERE UPPER("auth_user"."username"::text) = UPPER(1) ORDER BY "line_items"."state" DESC

SELECT (1) AS "a" FROM "line_items" WHERE "line_items"."state" = 1 LIMIT 1

UPDATE "line_items" SET "id" = 1, "email" = NULL WHERE "line_items"."state" = 1

INSERT INTO "line_items" ("id", "email") VALUES (1, 1) RETURNING "line_items"."id"

SELECT "line_items".* FROM "line_items" WHERE "line_items"."state" = 1 LIMIT 1

SELECT 1 AS one FROM "line_items" WHERE "line_items"."email" = 1 AND "line_items"."id" != 1 LIMIT 1

DELETE FROM "line_items" WHERE "line_items"."id" = 1

select l1_0.state,l1_0.id from line_items l1_0 where l1_0.state=1 fetch first 1 rows only

select l0_.state as state1_0_, l0_.id as id2_0_ from line_items l0_ left outer join roles r1_ on l0_.role_id=r1_.id where l0_.state=1

update line_items set id=1, version=version+1 where id=1 and version=1

SELECT "public"."line_items"."state", "public"."line_items"."id" FROM "public"."line_items" WHERE ("public"."line_items"."state" = 1 AND 1=1) LIMIT 1 OFFSET 1

SELECT "t0"."state" FROM "public"."line_items" AS "t0" LEFT JOIN LATERAL (SELECT COALESCE(JSONB_AGG("__prisma_data__"), '[]') AS "__prisma_data__" FROM (SELECT "t2"."x" FROM "public"."y" AS "t2" WHERE "t2"."k" = 1) AS "t3") AS "j" ON TRUE WHERE "t0"."state" = 1

SELECT line_items.state AS line_items_state, line_items.id AS line_items_id 
FROM line_items 
WHERE line_items.state = 1 
 LIMIT 1

SELECT * FROM "line_items" WHERE state = 1 AND "line_items"."deleted_at" IS NULL ORDER BY "line_items"."id" LIMIT 1

SELECT l0."state", l0."id" FROM "line_items" AS l0 WHERE (l0."state" = 1) AND l0."state" = ANY($2)

INSERT INTO line_items (state, id) VALUES (1, 1) ON CONFLICT (state) DO UPDATE SET id = EXCLUDED.id RETURNING *

SELECT "line_items"."state", "line_items"."id", "line_items"."email", "line_items"."created_at" FROM "line_items" WHERE "line_items"."state" = 2500000000 LIMIT 21

SELECT COUNT(*) AS "__count" FROM "line_items" WHERE ("line_items"."id" = 2500000000 AND NOT ("line_items"."email" IS NULL))

SELECT "line_items"."state" FROM "line_items" INNER JOIN "auth_user" ON ("line_items"."user_id" = "auth_user"."id") WHERE UPPER("auth_user"."username"::text) = UPPER(2500000000) ORDER BY "line_items"."state" DESC

SELECT (1) AS "a" FROM "line_items" WHERE "line_items"."state" = 2500000000 LIMIT 1

UPDATE "line_items" SET "id" = 2500000000, "email" = NULL WHERE "line_items"."state" = 2500000000

INSERT INTO "line_items" ("id", "email") VALUES (2500000000, 2500000000) RETURNING "line_items"."id"

SELECT "line_items".* FROM "line_items" WHERE "line_items"."state" = 2500000000 LIMIT 1

SELECT 1 AS one FROM "line_items" WHERE "line_items"."email" = 2500000000 AND "line_items"."id" != 2500000000 LIMIT 1

DELETE FROM "line_items" WHERE "line_items"."id" = 2500000000

select l1_0.state,l1_0.id from line_items l1_0 where l1_0.state=2500000000 fetch first 1 rows only

select l0_.state as state1_0_, l0_.id as id2_0_ from line_items l0_ left outer join roles r1_ on l0_.role_id=r1_.id where l0_.state=2500000000

update line_items set id=2500000000, version=version+1 where id=2500000000 and version=2500000000

SELECT "public"."line_items"."state", "public"."line_items"."id" FROM "public"."line_items" WHERE ("public"."line_items"."state" = 2500000000 AND 1=1) LIMIT 2500000000 OFFSET 2500000000

SELECT "t0"."state" FROM "public"."line_items" AS "t0" LEFT JOIN LATERAL (SELECT COALESCE(JSONB_AGG("__prisma_data__"), '[]') AS "__prisma_data__" FROM (SELECT "t2"."x" FROM "public"."y" AS "t2" WHERE "t2"."k" = 2500000000) AS "t3") AS "j" ON TRUE WHERE "t0"."state" = 2500000000

SELECT line_items.state AS line_items_state, line_items.id AS line_items_id 
FROM line_items 
WHERE line_items.state = 2500000000 
 LIMIT 2500000000

SELECT * FROM "line_items" WHERE state = 2500000000 AND "line_items"."deleted_at" IS NULL ORDER BY "line_items"."id" LIMIT 1

SELECT l0."state", l0."id" FROM "line_items" AS l0 WHERE (l0."state" = 2500000000) AND l0."state" = ANY($2)

INSERT INTO line_items (state, id) VALUES (2500000000, 2500000000) ON CONFLICT (state) DO UPDATE SET id = EXCLUDED.id RETURNING *

SELECT "line_items"."state", "line_items"."id", "line_items"."email", "line_items"."created_at" FROM "line_items" WHERE "line_items"."state" = 'abc' LIMIT 21

SELECT COUNT(*) AS "__count" FROM "line_items" WHERE ("line_items"."id" = 'abc' AND NOT ("line_items"."email" IS NULL))

SELECT "line_items"."state" FROM "line_items" INNER JOIN "auth_user" ON ("line_items"."user_id" = "auth_user"."id") WHERE UPPER("auth_user"."username"::text) = UPPER('abc') ORDER BY "line_items"."state" DESC

SELECT (1) AS "a" FROM "line_items" WHERE "line_items"."state" = 'abc' LIMIT 1

UPDATE "line_items" SET "id" = 'abc', "email" = NULL WHERE "line_items"."state" = 'abc'

INSERT INTO "line_items" ("id", "email") VALUES ('abc', 'abc') RETURNING "line_items"."id"

SELECT "line_items".* FROM "line_items" WHERE "line_items"."state" = 'abc' LIMIT 1

SELECT 1 AS one FROM "line_items" WHERE "line_items"."email" = 'abc' AND "line_items"."id" != 'abc' LIMIT 1

DELETE FROM "line_items" WHERE "line_items"."id" = 'abc'

select l1_0.state,l1_0.id from line_items l1_0 where l1_0.state='abc' fetch first 1 rows only

select l0_.state as state1_0_, l0_.id as id2_0_ from line_items l0_ left outer join roles r1_ on l0_.role_id=r1_.id where l0_.state='abc'

update line_items set id='abc', version=version+1 where id='abc' and version='abc'

SELECT "public"."line_items"."state", "public"."line_items"."id" FROM "public"."line_items" WHERE ("public"."line_items"."state" = 'abc' AND 1=1) LIMIT 'abc' OFFSET 'abc'

SELECT "t0"."state" FROM "public"."line_items" AS "t0" LEFT JOIN LATERAL (SELECT COALESCE(JSONB_AGG("__prisma_data__"), '[]') AS "__prisma_data__" FROM (SELECT "t2"."x" FROM "public"."y" AS "t2" WHERE "t2"."k" = 'abc') AS "t3") AS "j" ON TRUE WHERE "t0"."state" = 'abc'

SELECT line_items.state AS line_items_state, line_items.id AS line_items_id 
FROM line_items 
WHERE line_items.state = 'abc' 
 LIMIT 'abc'

SELECT * FROM "line_items" WHERE state = 'abc' AND "line_items"."deleted_at" IS NULL ORDER BY "line_items"."id" LIMIT 1

SELECT l0."state", l0."id" FROM "line_items" AS l0 WHERE (l0."state" = 'abc') AND l0."state" = ANY($2)

INSERT INTO line_items (state, id) VALUES ('abc', 'abc') ON CONFLICT (state) DO UPDATE SET id = EXCLUDED.id RETURNING *

SELECT "line_items"."state", "line_items"."id", "line_items"."email", "line_items"."created_at" FROM "line_items" WHERE "line_items"."state" = $1 LIMIT 21

SELECT COUNT(*) AS "__count" FROM "line_items" WHERE ("line_items"."id" = $1 AND NOT ("line_items"."email" IS NULL))

SELECT "line_items"."state" FROM "line_items" INNER JOIN "auth_user" ON ("line_items"."user_id" = "auth_user"."id") WHERE UPPER("auth_user"."username"::text) = UPPER($1) ORDER BY "line_items"."state" DESC

SELECT (1) AS "a" FROM "line_items" WHERE "line_items"."state" = $1 LIMIT 1

UPDATE "line_items" SET "id" = $1, "email" = NULL WHERE "line_items"."state" = $1

INSERT INTO "line_items" ("id", "email") VALUES ($1, $1) RETURNING "line_items"."id"

SELECT "line_items".* FROM "line_items" WHERE "line_items"."state" = $1 LIMIT 1

SELECT 1 AS one FROM "line_items" WHERE "line_items"."email" = $1 AND "line_items"."id" != $1 LIMIT 1

DELETE FROM "line_items" WHERE "line_items"."id" = $1

select l1_0.state,l1_0.id from line_items l1_0 where l1_0.state=$1 fetch first 1 rows only

select l0_.state as state1_0_, l0_.id as id2_0_ from line_items l0_ left outer join roles r1_ on l0_.role_id=r1_.id where l0_.state=$1

update line_items set id=$1, version=version+1 where id=$1 and version=$1

SELECT "public"."line_items"."state", "public"."line_items"."id" FROM "public"."line_items" WHERE ("public"."line_items"."state" = $1 AND 1=1) LIMIT $1 OFFSET $1

SELECT "t0"."state" FROM "public"."line_items" AS "t0" LEFT JOIN LATERAL (SELECT COALESCE(JSONB_AGG("__prisma_data__"), '[]') AS "__prisma_data__" FROM (SELECT "t2"."x" FROM "public"."y" AS "t2" WHERE "t2"."k" = $1) AS "t3") AS "j" ON TRUE WHERE "t0"."state" = $1

SELECT line_items.state AS line_items_state, line_items.id AS line_items_id 
FROM line_items 
WHERE line_items.state = $1 
 LIMIT $1

SELECT * FROM "line_items" WHERE state = $1 AND "line_items"."deleted_at" IS NULL ORDER BY "line_items"."id" LIMIT 1

SELECT l0."state", l0."id" FROM "line_items" AS l0 WHERE (l0."state" = $1) AND l0."state" = ANY($2)

INSERT INTO line_items (state, id) VALUES ($1, $1) ON CONFLICT (state) DO UPDATE SET id = EXCLUDED.id RETURNING *

SELECT "line_items".* FROM "line_items" WHERE "line_items"."id" IN (1, 2, 3)

SELECT "line_items".* FROM "line_items" WHERE "line_items"."id" IN ($1, $2, $3)

select * from line_items where state not in (1, 2, 3) and id in ($1, $2, $3)

INSERT INTO line_items (state, id) VALUES (1, 'v1'), (2, 'v2'), (3, 'v3')

insert into line_items (state, id, email) values ($1,$2,now()), ($3,$4,now()), ($5,$6,now()) returning id

UPDATE line_items SET id = v.x FROM (VALUES (1, 1::bigint), (2, 2::bigint), (3, 3::bigint)) AS v (k, x) WHERE line_items.id = v.k

SELECT "line_items".* FROM "line_items" WHERE "line_items"."id" IN (4)

SELECT "line_items".* FROM "line_items" WHERE "line_items"."id" IN ($1)

select * from line_items where state not in (4) and id in ($1)

INSERT INTO line_items (state, id) VALUES (4, 'v4')

insert into line_items (state, id, email) values ($1,$2,now()) returning id

UPDATE line_items SET id = v.x FROM (VALUES (4, 4::bigint)) AS v (k, x) WHERE line_items.id = v.k

SELECT "line_items".* FROM "line_items" WHERE "line_items"."id" IN (10, 20, 30, 40, 50)

SELECT "line_items".* FROM "line_items" WHERE "line_items"."id" IN ($1, $2, $3, $4, $5)

select * from line_items where state not in (10, 20, 30, 40, 50) and id in ($1, $2, $3, $4, $5)

INSERT INTO line_items (state, id) VALUES (10, 'v10'), (20, 'v20'), (30, 'v30'), (40, 'v40'), (50, 'v50')

insert into line_items (state, id, email) values ($1,$2,now()), ($3,$4,now()), ($5,$6,now()), ($7,$8,now()), ($9,$10,now()) returning id

UPDATE line_items SET id = v.x FROM (VALUES (10, 10::bigint), (20, 20::bigint), (30, 30::bigint), (40, 40::bigint), (50, 50::bigint)) AS v (k, x) WHERE line_items.id = v.k
