UPDATE pgbench_accounts SET abalance = abalance + 3 WHERE aid = 1

UPDATE pgbench_accounts SET abalance = abalance + -5 WHERE aid = 77

UPDATE pgbench_accounts SET abalance = abalance + -3187 WHERE aid = 123456789012

UPDATE pgbench_accounts SET abalance = abalance + $3 WHERE aid = $1

UPDATE pgbench_accounts SET abalance = abalance + 0.25 WHERE aid = 5

UPDATE pgbench_accounts SET abalance = abalance + '7' WHERE aid = '5'

SELECT abalance FROM pgbench_accounts WHERE aid = 1

SELECT abalance FROM pgbench_accounts WHERE aid = 77

SELECT abalance FROM pgbench_accounts WHERE aid = 123456789012

SELECT abalance FROM pgbench_accounts WHERE aid = $1

SELECT abalance FROM pgbench_accounts WHERE aid = 5

SELECT abalance FROM pgbench_accounts WHERE aid = '5'

UPDATE pgbench_tellers SET tbalance = tbalance + 3 WHERE tid = 2

UPDATE pgbench_tellers SET tbalance = tbalance + -5 WHERE tid = 8

UPDATE pgbench_tellers SET tbalance = tbalance + -3187 WHERE tid = 9

UPDATE pgbench_tellers SET tbalance = tbalance + $3 WHERE tid = $2

UPDATE pgbench_tellers SET tbalance = tbalance + 0.25 WHERE tid = 6

UPDATE pgbench_tellers SET tbalance = tbalance + '7' WHERE tid = '6'

UPDATE pgbench_branches SET bbalance = bbalance + 3 WHERE bid = 2

UPDATE pgbench_branches SET bbalance = bbalance + -5 WHERE bid = 8

UPDATE pgbench_branches SET bbalance = bbalance + -3187 WHERE bid = 9

UPDATE pgbench_branches SET bbalance = bbalance + $3 WHERE bid = $2

UPDATE pgbench_branches SET bbalance = bbalance + 0.25 WHERE bid = 6

UPDATE pgbench_branches SET bbalance = bbalance + '7' WHERE bid = '6'

INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (2, 2, 1, 3, CURRENT_TIMESTAMP)

INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (8, 8, 77, -5, CURRENT_TIMESTAMP)

INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (9, 9, 123456789012, -3187, CURRENT_TIMESTAMP)

INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES ($2, $2, $1, $3, CURRENT_TIMESTAMP)

INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (6, 6, 5, 0.25, CURRENT_TIMESTAMP)

INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES ('6', '6', '5', '7', CURRENT_TIMESTAMP)

SELECT count(abalance) FROM pgbench_accounts WHERE aid BETWEEN 1 AND 2

SELECT count(abalance) FROM pgbench_accounts WHERE aid BETWEEN 77 AND 8

SELECT count(abalance) FROM pgbench_accounts WHERE aid BETWEEN 123456789012 AND 9

SELECT count(abalance) FROM pgbench_accounts WHERE aid BETWEEN $1 AND $2

SELECT count(abalance) FROM pgbench_accounts WHERE aid BETWEEN 5 AND 6

SELECT count(abalance) FROM pgbench_accounts WHERE aid BETWEEN '5' AND '6'

SELECT c_discount, c_last, c_credit, w_tax FROM customer, warehouse WHERE w_id = 1 AND c_w_id = w_id AND c_d_id = 2 AND c_id = 1

SELECT c_discount, c_last, c_credit, w_tax FROM customer, warehouse WHERE w_id = 77 AND c_w_id = w_id AND c_d_id = 8 AND c_id = 77

SELECT c_discount, c_last, c_credit, w_tax FROM customer, warehouse WHERE w_id = 123456789012 AND c_w_id = w_id AND c_d_id = 9 AND c_id = 123456789012

SELECT c_discount, c_last, c_credit, w_tax FROM customer, warehouse WHERE w_id = $1 AND c_w_id = w_id AND c_d_id = $2 AND c_id = $1

SELECT c_discount, c_last, c_credit, w_tax FROM customer, warehouse WHERE w_id = 5 AND c_w_id = w_id AND c_d_id = 6 AND c_id = 5

SELECT c_discount, c_last, c_credit, w_tax FROM customer, warehouse WHERE w_id = '5' AND c_w_id = w_id AND c_d_id = '6' AND c_id = '5'

SELECT d_next_o_id, d_tax FROM district WHERE d_id = 2 AND d_w_id = 1 FOR UPDATE

SELECT d_next_o_id, d_tax FROM district WHERE d_id = 8 AND d_w_id = 77 FOR UPDATE

SELECT d_next_o_id, d_tax FROM district WHERE d_id = 9 AND d_w_id = 123456789012 FOR UPDATE

SELECT d_next_o_id, d_tax FROM district WHERE d_id = $2 AND d_w_id = $1 FOR UPDATE

SELECT d_next_o_id, d_tax FROM district WHERE d_id = 6 AND d_w_id = 5 FOR UPDATE

SELECT d_next_o_id, d_tax FROM district WHERE d_id = '6' AND d_w_id = '5' FOR UPDATE

UPDATE district SET d_next_o_id = 1 + 1 WHERE d_id = 2 AND d_w_id = 1

UPDATE district SET d_next_o_id = 77 + 1 WHERE d_id = 8 AND d_w_id = 77

UPDATE district SET d_next_o_id = 123456789012 + 1 WHERE d_id = 9 AND d_w_id = 123456789012

UPDATE district SET d_next_o_id = $1 + 1 WHERE d_id = $2 AND d_w_id = $1

UPDATE district SET d_next_o_id = 5 + 1 WHERE d_id = 6 AND d_w_id = 5

UPDATE district SET d_next_o_id = '5' + 1 WHERE d_id = '6' AND d_w_id = '5'

INSERT INTO orders (o_id, o_d_id, o_w_id, o_c_id, o_entry_d, o_ol_cnt, o_all_local) VALUES (1, 2, 1, 2, 'x', 2, 1)

INSERT INTO orders (o_id, o_d_id, o_w_id, o_c_id, o_entry_d, o_ol_cnt, o_all_local) VALUES (77, 8, 77, 8, 'O''Brien', 8, 77)

INSERT INTO orders (o_id, o_d_id, o_w_id, o_c_id, o_entry_d, o_ol_cnt, o_all_local) VALUES (123456789012, 9, 123456789012, 9, E'a\tb', 9, 123456789012)

INSERT INTO orders (o_id, o_d_id, o_w_id, o_c_id, o_entry_d, o_ol_cnt, o_all_local) VALUES ($1, $2, $1, $2, $4, $2, $1)

INSERT INTO orders (o_id, o_d_id, o_w_id, o_c_id, o_entry_d, o_ol_cnt, o_all_local) VALUES (5, 6, 5, 6, '2024-01-01', 6, 5)

INSERT INTO orders (o_id, o_d_id, o_w_id, o_c_id, o_entry_d, o_ol_cnt, o_all_local) VALUES ('5', '6', '5', '6', $$y$$, '6', '5')

INSERT INTO new_order (no_o_id, no_d_id, no_w_id) VALUES (1, 2, 1)

INSERT INTO new_order (no_o_id, no_d_id, no_w_id) VALUES (77, 8, 77)

INSERT INTO new_order (no_o_id, no_d_id, no_w_id) VALUES (123456789012, 9, 123456789012)

INSERT INTO new_order (no_o_id, no_d_id, no_w_id) VALUES ($1, $2, $1)

INSERT INTO new_order (no_o_id, no_d_id, no_w_id) VALUES (5, 6, 5)

INSERT INTO new_order (no_o_id, no_d_id, no_w_id) VALUES ('5', '6', '5')

SELECT i_price, i_name, i_data FROM item WHERE i_id = 1

SELECT i_price, i_name, i_data FROM item WHERE i_id = 77

SELECT i_price, i_name, i_data FROM item WHERE i_id = 123456789012

SELECT i_price, i_name, i_data FROM item WHERE i_id = $1

SELECT i_price, i_name, i_data FROM item WHERE i_id = 5

SELECT i_price, i_name, i_data FROM item WHERE i_id = '5'

SELECT s_quantity, s_data, s_dist_01 FROM stock WHERE s_i_id = 1 AND s_w_id = 2 FOR UPDATE

SELECT s_quantity, s_data, s_dist_01 FROM stock WHERE s_i_id = 77 AND s_w_id = 8 FOR UPDATE

SELECT s_quantity, s_data, s_dist_01 FROM stock WHERE s_i_id = 123456789012 AND s_w_id = 9 FOR UPDATE

SELECT s_quantity, s_data, s_dist_01 FROM stock WHERE s_i_id = $1 AND s_w_id = $2 FOR UPDATE

SELECT s_quantity, s_data, s_dist_01 FROM stock WHERE s_i_id = 5 AND s_w_id = 6 FOR UPDATE

SELECT s_quantity, s_data, s_dist_01 FROM stock WHERE s_i_id = '5' AND s_w_id = '6' FOR UPDATE

UPDATE stock SET s_quantity = 1, s_ytd = s_ytd + 2, s_order_cnt = s_order_cnt + 1 WHERE s_i_id = 1 AND s_w_id = 2

UPDATE stock SET s_quantity = 77, s_ytd = s_ytd + 8, s_order_cnt = s_order_cnt + 1 WHERE s_i_id = 77 AND s_w_id = 8

UPDATE stock SET s_quantity = 123456789012, s_ytd = s_ytd + 9, s_order_cnt = s_order_cnt + 1 WHERE s_i_id = 123456789012 AND s_w_id = 9

UPDATE stock SET s_quantity = $1, s_ytd = s_ytd + $2, s_order_cnt = s_order_cnt + 1 WHERE s_i_id = $1 AND s_w_id = $2

UPDATE stock SET s_quantity = 5, s_ytd = s_ytd + 6, s_order_cnt = s_order_cnt + 1 WHERE s_i_id = 5 AND s_w_id = 6

UPDATE stock SET s_quantity = '5', s_ytd = s_ytd + '6', s_order_cnt = s_order_cnt + 1 WHERE s_i_id = '5' AND s_w_id = '6'

UPDATE warehouse SET w_ytd = w_ytd + 3 WHERE w_id = 1 RETURNING w_street_1, w_city, w_zip, w_name

UPDATE warehouse SET w_ytd = w_ytd + -5 WHERE w_id = 77 RETURNING w_street_1, w_city, w_zip, w_name

UPDATE warehouse SET w_ytd = w_ytd + -3187 WHERE w_id = 123456789012 RETURNING w_street_1, w_city, w_zip, w_name

UPDATE warehouse SET w_ytd = w_ytd + $3 WHERE w_id = $1 RETURNING w_street_1, w_city, w_zip, w_name

UPDATE warehouse SET w_ytd = w_ytd + 0.25 WHERE w_id = 5 RETURNING w_street_1, w_city, w_zip, w_name

UPDATE warehouse SET w_ytd = w_ytd + '7' WHERE w_id = '5' RETURNING w_street_1, w_city, w_zip, w_name

SELECT count(c_id) FROM customer WHERE c_last = 'x' AND c_d_id = 1 AND c_w_id = 2

SELECT count(c_id) FROM customer WHERE c_last = 'O''Brien' AND c_d_id = 77 AND c_w_id = 8

SELECT count(c_id) FROM customer WHERE c_last = E'a\tb' AND c_d_id = 123456789012 AND c_w_id = 9

SELECT count(c_id) FROM customer WHERE c_last = $4 AND c_d_id = $1 AND c_w_id = $2

SELECT count(c_id) FROM customer WHERE c_last = '2024-01-01' AND c_d_id = 5 AND c_w_id = 6

SELECT count(c_id) FROM customer WHERE c_last = $$y$$ AND c_d_id = '5' AND c_w_id = '6'

UPDATE customer SET c_balance = c_balance - 3, c_data = 'x' WHERE c_w_id = 1 AND c_d_id = 2 AND c_id = 1

UPDATE customer SET c_balance = c_balance - -5, c_data = 'O''Brien' WHERE c_w_id = 77 AND c_d_id = 8 AND c_id = 77

UPDATE customer SET c_balance = c_balance - -3187, c_data = E'a\tb' WHERE c_w_id = 123456789012 AND c_d_id = 9 AND c_id = 123456789012

UPDATE customer SET c_balance = c_balance - $3, c_data = $4 WHERE c_w_id = $1 AND c_d_id = $2 AND c_id = $1

UPDATE customer SET c_balance = c_balance - 0.25, c_data = '2024-01-01' WHERE c_w_id = 5 AND c_d_id = 6 AND c_id = 5

UPDATE customer SET c_balance = c_balance - '7', c_data = $$y$$ WHERE c_w_id = '5' AND c_d_id = '6' AND c_id = '5'

INSERT INTO history VALUES (1, 2, 1, 2, 1, 'x', 3, 'x')

INSERT INTO history VALUES (77, 8, 77, 8, 77, 'O''Brien', -5, 'O''Brien')

INSERT INTO history VALUES (123456789012, 9, 123456789012, 9, 123456789012, E'a\tb', -3187, E'a\tb')

INSERT INTO history VALUES ($1, $2, $1, $2, $1, $4, $3, $4)

INSERT INTO history VALUES (5, 6, 5, 6, 5, '2024-01-01', 0.25, '2024-01-01')

INSERT INTO history VALUES ('5', '6', '5', '6', '5', $$y$$, '7', $$y$$)

SELECT o_id, o_carrier_id, o_entry_d FROM orders WHERE o_w_id = 1 AND o_d_id = 2 AND o_c_id = 1 ORDER BY o_id DESC LIMIT 1

SELECT o_id, o_carrier_id, o_entry_d FROM orders WHERE o_w_id = 77 AND o_d_id = 8 AND o_c_id = 77 ORDER BY o_id DESC LIMIT 1

SELECT o_id, o_carrier_id, o_entry_d FROM orders WHERE o_w_id = 123456789012 AND o_d_id = 9 AND o_c_id = 123456789012 ORDER BY o_id DESC LIMIT 1

SELECT o_id, o_carrier_id, o_entry_d FROM orders WHERE o_w_id = $1 AND o_d_id = $2 AND o_c_id = $1 ORDER BY o_id DESC LIMIT 1

SELECT o_id, o_carrier_id, o_entry_d FROM orders WHERE o_w_id = 5 AND o_d_id = 6 AND o_c_id = 5 ORDER BY o_id DESC LIMIT 1

SELECT o_id, o_carrier_id, o_entry_d FROM orders WHERE o_w_id = '5' AND o_d_id = '6' AND o_c_id = '5' ORDER BY o_id DESC LIMIT 1

SELECT no_o_id FROM new_order WHERE no_d_id = 1 AND no_w_id = 2 ORDER BY no_o_id ASC LIMIT 1 FOR UPDATE SKIP LOCKED

SELECT no_o_id FROM new_order WHERE no_d_id = 77 AND no_w_id = 8 ORDER BY no_o_id ASC LIMIT 1 FOR UPDATE SKIP LOCKED

SELECT no_o_id FROM new_order WHERE no_d_id = 123456789012 AND no_w_id = 9 ORDER BY no_o_id ASC LIMIT 1 FOR UPDATE SKIP LOCKED

SELECT no_o_id FROM new_order WHERE no_d_id = $1 AND no_w_id = $2 ORDER BY no_o_id ASC LIMIT 1 FOR UPDATE SKIP LOCKED

SELECT no_o_id FROM new_order WHERE no_d_id = 5 AND no_w_id = 6 ORDER BY no_o_id ASC LIMIT 1 FOR UPDATE SKIP LOCKED

SELECT no_o_id FROM new_order WHERE no_d_id = '5' AND no_w_id = '6' ORDER BY no_o_id ASC LIMIT 1 FOR UPDATE SKIP LOCKED

DELETE FROM new_order WHERE no_o_id = 1 AND no_d_id = 2 AND no_w_id = 1

DELETE FROM new_order WHERE no_o_id = 77 AND no_d_id = 8 AND no_w_id = 77

DELETE FROM new_order WHERE no_o_id = 123456789012 AND no_d_id = 9 AND no_w_id = 123456789012

DELETE FROM new_order WHERE no_o_id = $1 AND no_d_id = $2 AND no_w_id = $1

DELETE FROM new_order WHERE no_o_id = 5 AND no_d_id = 6 AND no_w_id = 5

DELETE FROM new_order WHERE no_o_id = '5' AND no_d_id = '6' AND no_w_id = '5'

SELECT sum(ol_amount) FROM order_line WHERE ol_o_id = 1 AND ol_d_id = 2 AND ol_w_id = 1

SELECT sum(ol_amount) FROM order_line WHERE ol_o_id = 77 AND ol_d_id = 8 AND ol_w_id = 77

SELECT sum(ol_amount) FROM order_line WHERE ol_o_id = 123456789012 AND ol_d_id = 9 AND ol_w_id = 123456789012

SELECT sum(ol_amount) FROM order_line WHERE ol_o_id = $1 AND ol_d_id = $2 AND ol_w_id = $1

SELECT sum(ol_amount) FROM order_line WHERE ol_o_id = 5 AND ol_d_id = 6 AND ol_w_id = 5

SELECT sum(ol_amount) FROM order_line WHERE ol_o_id = '5' AND ol_d_id = '6' AND ol_w_id = '5'

SELECT count(DISTINCT s_i_id) FROM order_line, stock WHERE ol_w_id = 1 AND ol_d_id = 2 AND ol_o_id < 1 AND ol_o_id >= 1 - 20 AND s_w_id = 2 AND s_i_id = ol_i_id AND s_quantity < 2

SELECT count(DISTINCT s_i_id) FROM order_line, stock WHERE ol_w_id = 77 AND ol_d_id = 8 AND ol_o_id < 77 AND ol_o_id >= 77 - 20 AND s_w_id = 8 AND s_i_id = ol_i_id AND s_quantity < 8

SELECT count(DISTINCT s_i_id) FROM order_line, stock WHERE ol_w_id = 123456789012 AND ol_d_id = 9 AND ol_o_id < 123456789012 AND ol_o_id >= 123456789012 - 20 AND s_w_id = 9 AND s_i_id = ol_i_id AND s_quantity < 9

SELECT count(DISTINCT s_i_id) FROM order_line, stock WHERE ol_w_id = $1 AND ol_d_id = $2 AND ol_o_id < $1 AND ol_o_id >= $1 - 20 AND s_w_id = $2 AND s_i_id = ol_i_id AND s_quantity < $2

SELECT count(DISTINCT s_i_id) FROM order_line, stock WHERE ol_w_id = 5 AND ol_d_id = 6 AND ol_o_id < 5 AND ol_o_id >= 5 - 20 AND s_w_id = 6 AND s_i_id = ol_i_id AND s_quantity < 6

SELECT count(DISTINCT s_i_id) FROM order_line, stock WHERE ol_w_id = '5' AND ol_d_id = '6' AND ol_o_id < '5' AND ol_o_id >= '5' - 20 AND s_w_id = '6' AND s_i_id = ol_i_id AND s_quantity < '6'
