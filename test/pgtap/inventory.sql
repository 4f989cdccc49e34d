-- Configuration items and what depends on what.

BEGIN;
SELECT plan(17);

SELECT changemgmt.add_person('regress_ci_owner', 'Olga Owner') \g /dev/null

SELECT isnt(changemgmt.add_ci('orders-db', kind => 'database', tier => 1,
		owner => 'regress_ci_owner', version => '15.4', end_of_life => '2027-11-11'),
	NULL, 'an item is registered');
SELECT results_eq(
	$$SELECT kind, tier, environment, changemgmt.person_id('regress_ci_owner') = owner_id,
		version, end_of_life
	FROM changemgmt.configuration_item WHERE id = changemgmt.ci_id('orders-db')$$,
	$$VALUES ('database', 1, 'production', true, '15.4', '2027-11-11'::date)$$,
	'with what was said of it');
SELECT lives_ok($$SELECT changemgmt.add_ci('shop')$$, 'a name is enough');
SELECT results_eq(
	$$SELECT kind, tier, environment, owner_id FROM changemgmt.configuration_item
	WHERE name = 'shop'$$,
	$$VALUES ('service', NULL::integer, 'production', NULL::bigint)$$,
	'the rest is a service in production, of unknown tier and owner');

SELECT lives_ok(
	$$SELECT changemgmt.add_ci('checkout', depends_on => '{orders-db,shop}')$$,
	'with what it depends on');
SELECT results_eq(
	$$SELECT c.name, d.name, p.kind FROM changemgmt.ci_dependency AS p
		JOIN changemgmt.configuration_item AS c ON c.id = p.ci_id
		JOIN changemgmt.configuration_item AS d ON d.id = p.depends_on_ci_id
	ORDER BY 2$$,
	$$VALUES ('checkout', 'orders-db', 'uses'), ('checkout', 'shop', 'uses')$$,
	'which is stored from the dependent item to the other');
SELECT lives_ok($$SELECT changemgmt.add_ci('lonely', depends_on => NULL)$$,
	'no dependencies are none');

-- refusals

SELECT throws_ok($$SELECT changemgmt.ci_id('nowhere')$$, 'MC008',
	'configuration item "nowhere" does not exist', 'an unknown name');
SELECT throws_ok($$SELECT changemgmt.add_ci('x', depends_on => '{shop,nowhere}')$$,
	'MC008', 'configuration item "nowhere" does not exist',
	'an unknown name among the dependencies');
SELECT is_empty($$SELECT FROM changemgmt.configuration_item WHERE name = 'x'$$,
	'registers nothing at all');
SELECT throws_ok($$SELECT changemgmt.add_ci('x', owner => 'regress_nobody')$$,
	'MC008', 'person "regress_nobody" does not exist', 'an owner whom nobody knows');
SELECT throws_ok($$SELECT changemgmt.add_ci('shop')$$, '23505', NULL, 'a name twice');
SELECT throws_ok($$SELECT changemgmt.add_ci('')$$, '23514', NULL, 'an empty name');
SELECT throws_ok($$SELECT changemgmt.add_ci('x', tier => 6)$$, '23514', NULL,
	'a tier beyond 5');
SELECT throws_ok(
	$$INSERT INTO changemgmt.ci_dependency (ci_id, depends_on_ci_id)
	VALUES (changemgmt.ci_id('shop'), changemgmt.ci_id('shop'))$$,
	'23514', NULL, 'a dependency on itself');
SELECT is(changemgmt.ci_id(NULL), NULL, 'no name, no id');

-- The path of the caller decides nothing.
CREATE TEMP TABLE configuration_item (id bigint, name text);
INSERT INTO pg_temp.configuration_item VALUES (-1, 'shop');
SET LOCAL search_path = pg_temp, public;
SELECT isnt(changemgmt.ci_id('shop'), -1::bigint, 'a table in front of ours is not looked at');

SELECT finish();
ROLLBACK;
