# changemgmt: build with PGXS.  For a newcomer: `make demo`, `make test`.
#
#   make, make install, make installcheck   as any extension, PG_CONFIG= chooses
#                                           the server
#   make test    everything, in throw-away servers; installs what is missing
#   make check-sanitize   the tests of C code with UBSan and under valgrind; with
#                         PG_CONFIG= of a server built with assertions or ASan, those
#   make demo    the main job on a private server; make demo-stop ends it
#   make bench   test/bench on a private server
#   make meta    bring META.json to the version of changemgmt.control
#   make dist    archive for PGXN

EXTENSION = changemgmt
MODULE_big = changemgmt
PG_CONFIG ?= pg_config

# The control file is the only place of the version; PGXN wants three numbers.
EXTVERSION := $(shell sed -n "s/^default_version *= *'\([^']*\)'.*/\1/p" changemgmt.control)
PGXNVERSION := $(shell echo $(EXTVERSION).0.0 | cut -d. -f1-3)

# Months and years of a recurrence are expanded by libical.
SHLIB_LINK += -lical

OBJS = $(patsubst %.c,%.o,$(sort $(wildcard src/*.c)))

# The install script is the parts in their numbers' order.
PARTS = $(sort $(wildcard sql/[0-9]*.sql))
INSTALL_SCRIPT_SQL = $(EXTENSION)--$(EXTVERSION).sql

# The upgrade script to this version is sql/upgrade/OLD--NEW.sql, by hand, then
# what sql/upgrade/replaceable.awk takes from the parts (functions, views and so
# on by itself, the rest where `-- since NEW` marks it), then finish.sql.  With
# a release the built script moves to sql/, where it never changes, and the next
# one begins in sql/upgrade/NEW--NEXT.sql.
UPGRADE_PARTS = $(sort $(wildcard sql/upgrade/*--*.sql))
UPGRADE_SCRIPTS_SQL = $(patsubst sql/upgrade/%,$(EXTENSION)--%,$(UPGRADE_PARTS))
ifneq ($(filter-out %--$(EXTVERSION).sql,$(UPGRADE_PARTS)),)
$(error sql/upgrade leads to version $(EXTVERSION) of $(EXTENSION).control only)
endif
DATA = $(sort $(wildcard sql/$(EXTENSION)--*--*.sql))
DATA_built = $(INSTALL_SCRIPT_SQL) $(UPGRADE_SCRIPTS_SQL)
EXTRA_CLEAN = $(wildcard $(EXTENSION)--*.sql) $(wildcard src/*.d src/*.bc) results

# expected/ is shared by regress and isolation (whose tests are iso_*), and
# both look for it in the output directory before the input directory.
REGRESS = $(sort $(basename $(notdir $(wildcard test/sql/*.sql))))
REGRESS_OPTS = --inputdir=$(srcdir)/test --load-extension=$(EXTENSION)
ISOLATION = $(sort $(basename $(notdir $(wildcard test/specs/*.spec))))
ISOLATION_OPTS = --inputdir=$(srcdir)/test --outputdir=. --load-extension=$(EXTENSION)

# -isystem on top of PGXS's -I takes the server's own headers out of -Wextra.
# fmgr and GUC hooks fix the signatures of most functions here, so an unused
# parameter says nothing.  A missing include must not compile.
PG_CPPFLAGS = -isystem $(includedir_server) -DCHANGEMGMT_VERSION='"$(EXTVERSION)"'
PG_CFLAGS = -Wall -Wextra -Wno-unused-parameter \
	-Werror=implicit-function-declaration -MMD -MP

# These goals run where no server is installed yet, so PGXS must not be read.
OWN_GOALS = test check-sanitize demo demo-stop bench meta dist

ifneq ($(filter-out $(OWN_GOALS),$(or $(MAKECMDGOALS),all)),)

PGXS := $(shell $(PG_CONFIG) --pgxs)
ifeq ($(wildcard $(PGXS)),)
$(error "$(PG_CONFIG) --pgxs" names no file: install the server's development package (Debian: postgresql-server-dev-NN) or set PG_CONFIG)
endif

# Bitcode for JIT inlining is an extra: no clang, no bitcode.
CLANG_FOUND := $(shell command -v "$$(sed -n 's/^CLANG *= *//p' '$(dir $(PGXS))../Makefile.global')")
ifeq ($(CLANG_FOUND),)
override with_llvm = no
endif

# Without the isolation tester (some packagings) installcheck does the rest.
ifeq ($(wildcard $(dir $(PGXS))../../src/test/isolation/pg_isolation_regress*),)
override ISOLATION =
endif

include $(PGXS)

-include $(OBJS:.o=.d)
$(OBJS): changemgmt.control Makefile
$(OBJS:.o=.bc): $(wildcard src/*.h) changemgmt.control Makefile

$(INSTALL_SCRIPT_SQL): $(PARTS) changemgmt.control Makefile
	printf '%s\n' '\echo Use "CREATE EXTENSION $(EXTENSION)" to load this file. \quit' > $@.tmp
	cat /dev/null $(PARTS) >> $@.tmp
	mv $@.tmp $@

$(UPGRADE_SCRIPTS_SQL): $(EXTENSION)--%.sql: sql/upgrade/%.sql $(PARTS) \
		sql/upgrade/finish.sql sql/upgrade/replaceable.awk changemgmt.control Makefile
	printf '%s\n' '\echo Use "ALTER EXTENSION $(EXTENSION) UPDATE" to load this file. \quit' > $@.tmp
	cat $< >> $@.tmp
	awk -v to=$(EXTVERSION) -f sql/upgrade/replaceable.awk $(PARTS) >> $@.tmp
	cat sql/upgrade/finish.sql >> $@.tmp
	mv $@.tmp $@

endif

.PHONY: $(OWN_GOALS)

test:
	@test/bin/test

check-sanitize:
	@test/bin/test --sanitize

demo:
	@test/bin/demo start

demo-stop:
	@test/bin/demo stop

bench:
	@test/bin/bench

meta:
	sed -i '/"meta-spec"/,$$!s/^\( *"version": *\)"[^"]*"/\1"$(PGXNVERSION)"/' META.json

dist: meta
	git archive --format zip --prefix=$(EXTENSION)-$(PGXNVERSION)/ \
		-o $(EXTENSION)-$(PGXNVERSION).zip HEAD
