-- rights: nothing is granted to PUBLIC but the USAGE of types.

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA changemgmt FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA changemgmt FROM PUBLIC;
