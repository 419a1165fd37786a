SELECT l_returnflag, l_linestatus, sum(l_quantity) AS sum_qty, sum(l_extendedprice * (1 - l_discount)) AS sum_disc_price, avg(l_discount) AS avg_disc, count(*) AS count_order FROM lineitem WHERE l_shipdate <= date '1998-12-01' - interval '5' day GROUP BY l_returnflag, l_linestatus ORDER BY l_returnflag, l_linestatus

SELECT l_returnflag, l_linestatus, sum(l_quantity) AS sum_qty, sum(l_extendedprice * (1 - l_discount)) AS sum_disc_price, avg(l_discount) AS avg_disc, count(*) AS count_order FROM lineitem WHERE l_shipdate <= date '1998-12-01' - interval '17' day GROUP BY l_returnflag, l_linestatus ORDER BY l_returnflag, l_linestatus

SELECT l_returnflag, l_linestatus, sum(l_quantity) AS sum_qty, sum(l_extendedprice * (1 - l_discount)) AS sum_disc_price, avg(l_discount) AS avg_disc, count(*) AS count_order FROM lineitem WHERE l_shipdate <= date '1998-12-01' - interval '90' day GROUP BY l_returnflag, l_linestatus ORDER BY l_returnflag, l_linestatus

SELECT s_acctbal, s_name, n_name, p_partkey FROM part, supplier, partsupp, nation, region WHERE p_partkey = ps_partkey AND s_suppkey = ps_suppkey AND p_size = 5 AND p_type LIKE '%BRASS' AND r_name = 'BRASS' AND ps_supplycost = (SELECT min(ps_supplycost) FROM partsupp, supplier, nation, region WHERE p_partkey = ps_partkey AND r_name = 'BRASS') ORDER BY s_acctbal DESC, n_name LIMIT 100

SELECT s_acctbal, s_name, n_name, p_partkey FROM part, supplier, partsupp, nation, region WHERE p_partkey = ps_partkey AND s_suppkey = ps_suppkey AND p_size = 17 AND p_type LIKE '%EUROPE' AND r_name = 'EUROPE' AND ps_supplycost = (SELECT min(ps_supplycost) FROM partsupp, supplier, nation, region WHERE p_partkey = ps_partkey AND r_name = 'EUROPE') ORDER BY s_acctbal DESC, n_name LIMIT 100

SELECT s_acctbal, s_name, n_name, p_partkey FROM part, supplier, partsupp, nation, region WHERE p_partkey = ps_partkey AND s_suppkey = ps_suppkey AND p_size = 90 AND p_type LIKE '%x y' AND r_name = 'x y' AND ps_supplycost = (SELECT min(ps_supplycost) FROM partsupp, supplier, nation, region WHERE p_partkey = ps_partkey AND r_name = 'x y') ORDER BY s_acctbal DESC, n_name LIMIT 100

SELECT l_orderkey, sum(l_extendedprice * (1 - l_discount)) AS revenue, o_orderdate FROM customer, orders, lineitem WHERE c_mktsegment = 'BRASS' AND c_custkey = o_custkey AND l_orderkey = o_orderkey AND o_orderdate < date '1995-03-5' GROUP BY l_orderkey, o_orderdate ORDER BY revenue DESC LIMIT 5

SELECT l_orderkey, sum(l_extendedprice * (1 - l_discount)) AS revenue, o_orderdate FROM customer, orders, lineitem WHERE c_mktsegment = 'EUROPE' AND c_custkey = o_custkey AND l_orderkey = o_orderkey AND o_orderdate < date '1995-03-17' GROUP BY l_orderkey, o_orderdate ORDER BY revenue DESC LIMIT 17

SELECT l_orderkey, sum(l_extendedprice * (1 - l_discount)) AS revenue, o_orderdate FROM customer, orders, lineitem WHERE c_mktsegment = 'x y' AND c_custkey = o_custkey AND l_orderkey = o_orderkey AND o_orderdate < date '1995-03-90' GROUP BY l_orderkey, o_orderdate ORDER BY revenue DESC LIMIT 90

SELECT o_orderpriority, count(*) AS order_count FROM orders WHERE o_orderdate >= date '1993-07-01' AND o_orderdate < date '1993-07-01' + interval '5' month AND EXISTS (SELECT * FROM lineitem WHERE l_orderkey = o_orderkey AND l_commitdate < l_receiptdate) GROUP BY o_orderpriority ORDER BY o_orderpriority

SELECT o_orderpriority, count(*) AS order_count FROM orders WHERE o_orderdate >= date '1993-07-01' AND o_orderdate < date '1993-07-01' + interval '17' month AND EXISTS (SELECT * FROM lineitem WHERE l_orderkey = o_orderkey AND l_commitdate < l_receiptdate) GROUP BY o_orderpriority ORDER BY o_orderpriority

SELECT o_orderpriority, count(*) AS order_count FROM orders WHERE o_orderdate >= date '1993-07-01' AND o_orderdate < date '1993-07-01' + interval '90' month AND EXISTS (SELECT * FROM lineitem WHERE l_orderkey = o_orderkey AND l_commitdate < l_receiptdate) GROUP BY o_orderpriority ORDER BY o_orderpriority

SELECT n_name, sum(l_extendedprice * (1 - l_discount)) AS revenue FROM customer JOIN orders ON c_custkey = o_custkey JOIN lineitem ON l_orderkey = o_orderkey JOIN nation ON c_nationkey = n_nationkey WHERE n_name = 'BRASS' GROUP BY n_name ORDER BY revenue DESC

SELECT n_name, sum(l_extendedprice * (1 - l_discount)) AS revenue FROM customer JOIN orders ON c_custkey = o_custkey JOIN lineitem ON l_orderkey = o_orderkey JOIN nation ON c_nationkey = n_nationkey WHERE n_name = 'EUROPE' GROUP BY n_name ORDER BY revenue DESC

SELECT n_name, sum(l_extendedprice * (1 - l_discount)) AS revenue FROM customer JOIN orders ON c_custkey = o_custkey JOIN lineitem ON l_orderkey = o_orderkey JOIN nation ON c_nationkey = n_nationkey WHERE n_name = 'x y' GROUP BY n_name ORDER BY revenue DESC

SELECT sum(l_extendedprice * l_discount) AS revenue FROM lineitem WHERE l_discount BETWEEN 0.5 - 0.01 AND 0.5 + 0.01 AND l_quantity < 5

SELECT sum(l_extendedprice * l_discount) AS revenue FROM lineitem WHERE l_discount BETWEEN 0.17 - 0.01 AND 0.17 + 0.01 AND l_quantity < 17

SELECT sum(l_extendedprice * l_discount) AS revenue FROM lineitem WHERE l_discount BETWEEN 0.90 - 0.01 AND 0.90 + 0.01 AND l_quantity < 90

SELECT supp_nation, cust_nation, l_year, sum(volume) AS revenue FROM (SELECT n1.n_name AS supp_nation, n2.n_name AS cust_nation, extract(year FROM l_shipdate) AS l_year, l_extendedprice * (1 - l_discount) AS volume FROM supplier, lineitem, nation n1, nation n2 WHERE (n1.n_name = 'BRASS' AND n2.n_name = 'B') OR (n1.n_name = 'B' AND n2.n_name = 'BRASS')) AS shipping GROUP BY supp_nation, cust_nation, l_year

SELECT supp_nation, cust_nation, l_year, sum(volume) AS revenue FROM (SELECT n1.n_name AS supp_nation, n2.n_name AS cust_nation, extract(year FROM l_shipdate) AS l_year, l_extendedprice * (1 - l_discount) AS volume FROM supplier, lineitem, nation n1, nation n2 WHERE (n1.n_name = 'EUROPE' AND n2.n_name = 'B') OR (n1.n_name = 'B' AND n2.n_name = 'EUROPE')) AS shipping GROUP BY supp_nation, cust_nation, l_year

SELECT supp_nation, cust_nation, l_year, sum(volume) AS revenue FROM (SELECT n1.n_name AS supp_nation, n2.n_name AS cust_nation, extract(year FROM l_shipdate) AS l_year, l_extendedprice * (1 - l_discount) AS volume FROM supplier, lineitem, nation n1, nation n2 WHERE (n1.n_name = 'x y' AND n2.n_name = 'B') OR (n1.n_name = 'B' AND n2.n_name = 'x y')) AS shipping GROUP BY supp_nation, cust_nation, l_year

SELECT o_year, sum(CASE WHEN nation = 'BRASS' THEN volume ELSE 0 END) / sum(volume) AS mkt_share FROM all_nations GROUP BY o_year ORDER BY o_year

SELECT o_year, sum(CASE WHEN nation = 'EUROPE' THEN volume ELSE 0 END) / sum(volume) AS mkt_share FROM all_nations GROUP BY o_year ORDER BY o_year

SELECT o_year, sum(CASE WHEN nation = 'x y' THEN volume ELSE 0 END) / sum(volume) AS mkt_share FROM all_nations GROUP BY o_year ORDER BY o_year

SELECT c_count, count(*) AS custdist FROM (SELECT c_custkey, count(o_orderkey) FROM customer LEFT OUTER JOIN orders ON c_custkey = o_custkey AND o_comment NOT LIKE '%BRASS%' GROUP BY c_custkey) AS c_orders (c_custkey, c_count) GROUP BY c_count ORDER BY custdist DESC

SELECT c_count, count(*) AS custdist FROM (SELECT c_custkey, count(o_orderkey) FROM customer LEFT OUTER JOIN orders ON c_custkey = o_custkey AND o_comment NOT LIKE '%EUROPE%' GROUP BY c_custkey) AS c_orders (c_custkey, c_count) GROUP BY c_count ORDER BY custdist DESC

SELECT c_count, count(*) AS custdist FROM (SELECT c_custkey, count(o_orderkey) FROM customer LEFT OUTER JOIN orders ON c_custkey = o_custkey AND o_comment NOT LIKE '%x y%' GROUP BY c_custkey) AS c_orders (c_custkey, c_count) GROUP BY c_count ORDER BY custdist DESC

SELECT 100.00 * sum(CASE WHEN p_type LIKE 'BRASS%' THEN l_extendedprice * (1 - l_discount) ELSE 0 END) / sum(l_extendedprice * (1 - l_discount)) FROM lineitem, part WHERE l_partkey = p_partkey

SELECT 100.00 * sum(CASE WHEN p_type LIKE 'EUROPE%' THEN l_extendedprice * (1 - l_discount) ELSE 0 END) / sum(l_extendedprice * (1 - l_discount)) FROM lineitem, part WHERE l_partkey = p_partkey

SELECT 100.00 * sum(CASE WHEN p_type LIKE 'x y%' THEN l_extendedprice * (1 - l_discount) ELSE 0 END) / sum(l_extendedprice * (1 - l_discount)) FROM lineitem, part WHERE l_partkey = p_partkey

WITH revenue (supplier_no, total_revenue) AS (SELECT l_suppkey, sum(l_extendedprice) FROM lineitem WHERE l_shipdate >= date '1996-01-01' GROUP BY l_suppkey) SELECT s_suppkey, total_revenue FROM supplier, revenue WHERE s_suppkey = supplier_no AND total_revenue = (SELECT max(total_revenue) FROM revenue WHERE supplier_no <> 5)

WITH revenue (supplier_no, total_revenue) AS (SELECT l_suppkey, sum(l_extendedprice) FROM lineitem WHERE l_shipdate >= date '1996-01-01' GROUP BY l_suppkey) SELECT s_suppkey, total_revenue FROM supplier, revenue WHERE s_suppkey = supplier_no AND total_revenue = (SELECT max(total_revenue) FROM revenue WHERE supplier_no <> 17)

WITH revenue (supplier_no, total_revenue) AS (SELECT l_suppkey, sum(l_extendedprice) FROM lineitem WHERE l_shipdate >= date '1996-01-01' GROUP BY l_suppkey) SELECT s_suppkey, total_revenue FROM supplier, revenue WHERE s_suppkey = supplier_no AND total_revenue = (SELECT max(total_revenue) FROM revenue WHERE supplier_no <> 90)

SELECT p_brand, p_type, p_size, count(DISTINCT ps_suppkey) FROM partsupp, part WHERE p_partkey = ps_partkey AND p_brand <> 'BRASS' AND p_size IN (5, 14, 23, 45, 19, 3, 36, 9) AND ps_suppkey NOT IN (SELECT s_suppkey FROM supplier WHERE s_comment LIKE '%BRASS%') GROUP BY p_brand, p_type, p_size

SELECT p_brand, p_type, p_size, count(DISTINCT ps_suppkey) FROM partsupp, part WHERE p_partkey = ps_partkey AND p_brand <> 'EUROPE' AND p_size IN (17, 14, 23, 45, 19, 3, 36, 9) AND ps_suppkey NOT IN (SELECT s_suppkey FROM supplier WHERE s_comment LIKE '%EUROPE%') GROUP BY p_brand, p_type, p_size

SELECT p_brand, p_type, p_size, count(DISTINCT ps_suppkey) FROM partsupp, part WHERE p_partkey = ps_partkey AND p_brand <> 'x y' AND p_size IN (90, 14, 23, 45, 19, 3, 36, 9) AND ps_suppkey NOT IN (SELECT s_suppkey FROM supplier WHERE s_comment LIKE '%x y%') GROUP BY p_brand, p_type, p_size

SELECT sum(l_extendedprice) / 7.0 AS avg_yearly FROM lineitem, part WHERE p_container = 'BRASS' AND l_quantity < (SELECT 0.5 * avg(l_quantity) FROM lineitem WHERE l_partkey = p_partkey)

SELECT sum(l_extendedprice) / 7.0 AS avg_yearly FROM lineitem, part WHERE p_container = 'EUROPE' AND l_quantity < (SELECT 0.17 * avg(l_quantity) FROM lineitem WHERE l_partkey = p_partkey)

SELECT sum(l_extendedprice) / 7.0 AS avg_yearly FROM lineitem, part WHERE p_container = 'x y' AND l_quantity < (SELECT 0.90 * avg(l_quantity) FROM lineitem WHERE l_partkey = p_partkey)

SELECT c_name, sum(l_quantity) FROM customer, orders, lineitem WHERE o_orderkey IN (SELECT l_orderkey FROM lineitem GROUP BY l_orderkey HAVING sum(l_quantity) > 5) GROUP BY c_name

SELECT c_name, sum(l_quantity) FROM customer, orders, lineitem WHERE o_orderkey IN (SELECT l_orderkey FROM lineitem GROUP BY l_orderkey HAVING sum(l_quantity) > 17) GROUP BY c_name

SELECT c_name, sum(l_quantity) FROM customer, orders, lineitem WHERE o_orderkey IN (SELECT l_orderkey FROM lineitem GROUP BY l_orderkey HAVING sum(l_quantity) > 90) GROUP BY c_name

SELECT cntrycode, count(*) FROM (SELECT substring(c_phone FROM 1 FOR 2) AS cntrycode, c_acctbal FROM customer WHERE substring(c_phone FROM 1 FOR 2) IN ('13', '5', '23')) AS custsale GROUP BY cntrycode

SELECT cntrycode, count(*) FROM (SELECT substring(c_phone FROM 1 FOR 2) AS cntrycode, c_acctbal FROM customer WHERE substring(c_phone FROM 1 FOR 2) IN ('13', '17', '23')) AS custsale GROUP BY cntrycode

SELECT cntrycode, count(*) FROM (SELECT substring(c_phone FROM 1 FOR 2) AS cntrycode, c_acctbal FROM customer WHERE substring(c_phone FROM 1 FOR 2) IN ('13', '90', '23')) AS custsale GROUP BY cntrycode
