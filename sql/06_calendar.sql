-- calendar: business days. Windows, blackouts and holidays are to come here.

CREATE FUNCTION changemgmt.add_business_days(
	at timestamptz, days integer) RETURNS timestamptz
	LANGUAGE C STABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'add_business_days';
COMMENT ON FUNCTION changemgmt.add_business_days(timestamptz, integer) IS
	'The same time of day, days business days (Monday to Friday in the reporting time zone) later; from a weekend, counted from its end. Range of days: 0 to 3660. Errors: MC008.';
