-- The tour that `make demo` plays.
SELECT extname, extversion FROM pg_extension WHERE extname = 'changemgmt';
