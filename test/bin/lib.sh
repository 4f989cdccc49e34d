# What test/bin/test, test/bin/demo and test/bin/bench share: packages, a private copy of the
# server, throw-away clusters, and leaving nothing behind.
#
# The system's server is never touched.  `private_server` copies its programs
# below a directory of ours and links the rest; a PostgreSQL program finds its
# library and share directories relative to itself, so `make install` with the
# copy's pg_config goes there and needs no rights.
#
# The caller may be root, whom initdb refuses, and whose tree nobody else may
# be able to enter.  So the sources are copied to a place that belongs to
# $owner, and all that follows the packages runs from there as $owner.

say() { printf '==> %s\n' "$*"; }
die() { printf '\nerror: %s\n' "$*" >&2; exit 1; }

am_root() { [ "$(id -u)" = 0 ]; }

as_root() {
	if am_root; then "$@"; else sudo "$@"; fi
}

# The command prefix that makes us the unprivileged owner of servers, with a
# clean environment: neither make's flags nor somebody's PGHOST may decide what
# is tested.
owner_prefix() {
	local v
	as=()
	if am_root; then
		as=(setpriv "--reuid=$owner" "--regid=$(id -g "$owner")" --init-groups --)
	fi
	as+=(env -i "PATH=$PATH" "HOME=${place:-/}" "USER=$owner" LC_ALL=C.UTF-8 "TERM=${TERM:-dumb}")
	for v in CI PG_CONFIG CHANGEMGMT_REAL_DATA MUTATION_FACTOR MUTATION_SEED SQLSMITH_SECONDS SQLSMITH_SEED ASAN_OPTIONS; do
		[ -z "${!v:-}" ] || as+=("$v=${!v}")
	done
}

as_owner() {
	local as
	owner_prefix
	(cd / && exec "${as[@]}" "$@")
}

# The same for good.
become_owner() {
	local as
	owner_prefix
	cd /
	exec "${as[@]}" "$@"
}

choose_owner() {
	owner=$(id -un)
	am_root || return 0
	owner=postgres
	id -u postgres >/dev/null 2>&1 || owner=nobody
}

# ---------------------------------------------------------------- packages

# Versions of the server that are installed, 15 or later, newest first.
installed_versions() {
	local d
	for d in /usr/lib/postgresql/*/bin/postgres; do
		[ -x "$d" ] || continue
		d=${d#/usr/lib/postgresql/}
		d=${d%%/*}
		case $d in *[!0-9]*) continue ;; esac
		[ "$d" -ge 15 ] && echo "$d"
	done | sort -rn
}

# Debian's client package brings pgxs.mk, too: the headers tell.
has_dev() { [ -e "/usr/include/postgresql/$1/server/postgres.h" ]; }
has_pgtap() { [ -e "/usr/share/postgresql/$1/extension/pgtap.control" ]; }

# The server's version that this system's packages offer.
apt_version() {
	apt-cache depends postgresql 2>/dev/null |
		sed -n 's/.*Depends: postgresql-\([0-9][0-9]*\)$/\1/p' | head -n 1
}

apt_update() {
	[ -z "${apt_updated:-}" ] || return 0
	export apt_updated=1
	say "apt-get update"
	apt_get update || say "apt-get update did not fully succeed; going on with what is known"
}

# Keep apt quiet unless it fails; wait for another apt rather than fail.  What
# it says goes to a file without a name: nothing stays behind if we are
# interrupted, and no service that a package starts keeps us waiting on a pipe.
apt_get() {
	local log out in rc=0
	log=$(mktemp)
	exec {out}>"$log" {in}<"$log"
	rm -f "$log"
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
		-o DPkg::Lock::Timeout=300 "$@" >&"$out" 2>&1 </dev/null || rc=$?
	[ "$rc" = 0 ] || tail -n 20 <&"$in" >&2
	exec {out}>&- {in}<&-
	return "$rc"
}

# Sets pg_config.  Installs what is missing on Debian and its kin, else says
# what is.
ensure_packages() {
	local version='' v missing=() id like snippet made_dir='' rc=0

	if [ -n "${PG_CONFIG:-}" ]; then
		pg_config=$(command -v "$PG_CONFIG") || die "PG_CONFIG=$PG_CONFIG: no such program"
		check_tools
		return
	fi

	id=$(. /etc/os-release 2>/dev/null && echo "${ID:-}") || id=
	like=$(. /etc/os-release 2>/dev/null && echo "${ID_LIKE:-}") || like=
	case " $id $like " in
	*" debian "* | *" ubuntu "*) ;;
	*)
		pg_config=$(command -v pg_config) || die "packages can be installed by this script on Debian and Ubuntu only.
Please install PostgreSQL 15 or later with its development files (pg_config, server headers),
pgTAP, libical with its headers, a C compiler, make and perl, then run this again, with PG_CONFIG=/path/to/pg_config
if pg_config is not in the PATH."
		check_tools
		return
		;;
	esac

	for v in $(installed_versions); do
		if has_dev "$v" && has_pgtap "$v"; then version=$v; break; fi
	done
	[ -n "$version" ] || version=$(installed_versions | head -n 1)

	command -v make >/dev/null || missing+=(make)
	command -v gcc >/dev/null || missing+=(gcc)
	[ -e /usr/include/stdio.h ] || missing+=(libc6-dev)
	[ -e /usr/include/libical/ical.h ] || missing+=(libical-dev)
	command -v prove >/dev/null || missing+=(perl)
	command -v python3 >/dev/null || missing+=(python3)
	if [ -z "$version" ]; then
		version=$(apt_version)
		if [ -z "$version" ]; then
			can_install "${missing[*]} postgresql postgresql-server-dev-NN postgresql-NN-pgtap"
			apt_update
			version=$(apt_version)
		fi
		[ -n "$version" ] || die "apt knows no package postgresql; is the network there, and are apt's sources set?"
		[ "$version" -ge 15 ] || die "PostgreSQL 15 or later is needed and this system offers $version.
Please add the PostgreSQL project's packages (https://wiki.postgresql.org/wiki/Apt) and run this again."
		missing+=("postgresql-$version")
	fi
	has_dev "$version" || missing+=("postgresql-server-dev-$version")
	has_pgtap "$version" || missing+=("postgresql-$version-pgtap")

	if [ ${#missing[@]} -gt 0 ]; then
		can_install "${missing[*]}"
		apt_update
		say "installing ${missing[*]} and what they depend on (they stay installed)"
		# The server's package would create and start a cluster.  Tell it not
		# to, for as long as this takes.
		snippet=/etc/postgresql-common/createcluster.d/changemgmt-no-cluster.conf
		[ -d "${snippet%/*}" ] || made_dir=1
		as_root mkdir -p "${snippet%/*}"
		(
			trap 'as_root rm -f "$snippet"' EXIT
			trap 'exit 130' INT TERM HUP
			echo 'create_main_cluster = false' | as_root tee "$snippet" >/dev/null &&
				apt_get install --no-install-recommends "${missing[@]}"
		) || rc=$?
		if [ "$rc" != 0 ]; then
			[ -z "$made_dir" ] || as_root rmdir -p "${snippet%/*}" 2>/dev/null || true
			die "apt-get could not install: ${missing[*]}"
		fi
	fi
	pg_config=/usr/lib/postgresql/$version/bin/pg_config
	check_tools
}

# Programs that some tests can use and do not need: where they are not
# installed and apt has their package, it is unpacked below $place/extra with
# the libraries that are missing, and a command of that name put into
# $place/extra/bin.  Nothing is installed, so no service starts and nothing
# stays; a test that finds no such program skips and says so.
optional_programs() { # PROGRAM...  each named as its package
	local program
	command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || return 0
	for program; do
		PATH=$PATH:/usr/sbin command -v "$program" >/dev/null || unpack_program "$program" ||
			say "no $program to be had; the tests that use it are skipped"
	done
}

unpack_program() { # PROGRAM
	local dir=$place/extra file
	as_owner mkdir -p "$dir/deb" "$dir/bin" || return 1
	download_package "$1" "$dir/deb" || {
		# The lists may be empty or out of date.
		am_root || sudo -n true 2>/dev/null || return 1
		apt_update
		download_package "$1" "$dir/deb"
	} || return 1
	for file in "$dir"/deb/*.deb; do
		as_owner dpkg-deb -x "$file" "$dir" || return 1
		rm -f "$file"
	done
	file=$(as_owner sh -c 'ls -d "$1"/usr/sbin/"$2" "$1"/usr/bin/"$2" 2>/dev/null | head -n 1' sh "$dir" "$1")
	[ -n "$file" ] || return 1
	as_owner sh -c 'cat >"$1" && chmod +x "$1"' sh "$dir/bin/$1" <<-EOF
		#!/bin/sh
		LD_LIBRARY_PATH=$dir/usr/lib/$(gcc -print-multiarch):$dir/lib/$(gcc -print-multiarch) exec $file "\$@"
	EOF
	as_owner "$dir/bin/$1" --version >/dev/null 2>&1 || { as_owner rm -f "$dir/bin/$1"; return 1; }
	say "unpacked $1 for the tests (not installed)"
}

# The package and those that it needs and that are not installed in any version.
download_package() { # PACKAGE DIRECTORY
	local new
	new=$(apt-get -s --no-install-recommends install "$1" 2>/dev/null |
		sed -n 's/^Inst \([^ ]*\) (.*/\1/p') && [ -n "$new" ] || return 1
	(cd "$2" && timeout 120 apt-get -q -o Acquire::Retries=1 -o Acquire::http::Timeout=20 \
		download $new >/dev/null 2>&1 && chmod a+r ./*.deb)
}

can_install() {
	am_root && return
	command -v sudo >/dev/null ||
		die "these packages are missing and there is no sudo; as root: apt-get install $1"
	sudo -n true 2>/dev/null && return
	[ -t 0 ] || die "these packages are missing and sudo wants a password; as root: apt-get install $1"
	say "sudo is used for apt-get only"
}

# The last word on whether all is there, however it came.
check_tools() {
	local f
	for f in make gcc perl prove setpriv; do
		command -v $f >/dev/null || die "$f is missing; please install it"
	done
	[ -x "$("$pg_config" --bindir)/postgres" ] || die "no PostgreSQL server beside $pg_config"
	[ -e "$("$pg_config" --pgxs)" ] && [ -e "$("$pg_config" --includedir-server)/postgres.h" ] ||
		die "no development files (PGXS and server headers) for $pg_config"
	[ -e "$("$pg_config" --sharedir)/extension/pgtap.control" ] || die "no pgTAP for $pg_config"
	echo '#include <libical/ical.h>' | gcc -E - >/dev/null 2>&1 ||
		die "no headers of libical; please install them (Debian: libical-dev)"
	say "PostgreSQL: $("$pg_config" --version)"
	PG_CONFIG=$pg_config
}

# ------------------------------------------------------------------- places

# Copy the sources, without what a build left in them, to $place/src.
copy_sources() {
	as_owner rm -rf "$place/src"
	as_owner mkdir "$place/src"
	tar -C "$top" --mode=u+rwX -c --exclude=./.git --exclude=./demo-server --exclude='*.o' --exclude='*.bc' \
		--exclude='*.d' --exclude='*.so' --exclude='./changemgmt--*.sql' --exclude=./results \
		--exclude=./output_iso . | as_owner tar -C "$place/src" -x --no-same-owner
}

# Some tests use records that do not belong to the source; the copy makes them
# readable for the server.
copy_real_data() {
	local data=${CHANGEMGMT_REAL_DATA:-$top/../shared/data}
	unset CHANGEMGMT_REAL_DATA
	[ -d "$data" ] || return 0
	as_owner mkdir "$place/data"
	tar -C "$data" --mode=u+rwX -c . | as_owner tar -C "$place/data" -x --no-same-owner
	CHANGEMGMT_REAL_DATA=$place/data
}

# A server of our own below $place/pg; sets pg_config and PATH to it.
private_server() {
	local sys=$PG_CONFIG root=$place/pg bin lib share inc f
	bin=$("$sys" --bindir)
	lib=$("$sys" --pkglibdir)
	share=$("$sys" --sharedir)
	inc=$("$sys" --includedir-server)
	rm -rf "$root"
	mkdir -p "$root$bin" "$root$lib" "$root$share/extension" "$root${inc%/*}"
	for f in postgres initdb psql pgbench createdb dropdb createuser vacuumdb; do
		cp "$bin/$f" "$root$bin/"
	done
	for f in "$bin"/pg_*; do cp "$f" "$root$bin/"; done
	for f in "$lib"/*; do ln -sfn "$f" "$root$lib/"; done
	for f in "$share"/*; do
		[ "${f##*/}" = extension ] || ln -sfn "$f" "$root$share/"
	done
	for f in "$share"/extension/*; do ln -sfn "$f" "$root$share/extension/"; done
	rm -f "$root$lib"/changemgmt* "$root$share"/extension/changemgmt*
	ln -sfn "$inc" "$root$inc"
	pg_config=$root$bin/pg_config
	"$pg_config" --version >/dev/null ||
		die "programs cannot be run in $place; set CHANGEMGMT_TMP to a directory where they can"
	[ "$("$pg_config" --pkglibdir)" = "$root$lib" ] && [ "$("$pg_config" --sharedir)" = "$root$share" ] ||
		die "$sys does not find its directories relative to itself; please use another build of PostgreSQL"
	export PG_CONFIG=$pg_config PATH=$root$bin:$PATH
	[ ! -d "$place/extra/bin" ] || PATH=$PATH:$place/extra/bin
}

# Build and install into the private server; everything it says goes to
# $place/build.log.
build() { # [VARIABLE=VALUE...]
	say "building${1:+ with $1}"
	make -C "$place/src" -j"$(nproc)" all with_llvm=no PG_CONFIG="$pg_config" "$@" >"$place/build.log" 2>&1 &&
		make -C "$place/src" install with_llvm=no PG_CONFIG="$pg_config" "$@" >>"$place/build.log" 2>&1 && return
	grep -vE '^[^ ]*(gcc|cc|clang)[^ ]* -' "$place/build.log" | tail -n 60
	die "the build failed"
}

# A cluster in $place, reached by a socket that only its owner (and root) can
# use.
create_cluster() {
	mkdir -p "$place/s"
	chmod 700 "$place/s"
	initdb -D "$place/cluster" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync \
		>"$place/initdb.log" 2>&1 || { cat "$place/initdb.log"; die "initdb failed"; }
	cat >>"$place/cluster/postgresql.conf" <<-EOF
		listen_addresses = ''
		unix_socket_directories = '$place/s'
		logging_collector = off
	EOF
}

start_cluster() {
	export PGHOST=$place/s PGPORT=5432 PGUSER=postgres PGDATA=$place/cluster
	pg_ctl -l "$place/server.log" -w -t 120 start >/dev/null 2>&1 ||
		{ tail -n 30 "$place/server.log"; die "the server does not start"; }
}

# End every process whose working directory is below $1 (a server's is its
# data directory), but not ourselves.  INT is a server's fast shutdown and
# harmless to its children, QUIT its immediate one.
stop_all() {
	local sig pid dir found i
	for sig in INT QUIT KILL; do
		for i in 1 2 3 4 5 6 7 8 9 10; do
			found=
			for pid in /proc/[0-9]*; do
				dir=$(readlink "$pid/cwd" 2>/dev/null) || continue
				case $dir in "$1"/*) ;; *) continue ;; esac
				pid=${pid#/proc/}
				[ "$pid" = $$ ] && continue
				found=1
				[ $i != 1 ] || kill -$sig "$pid" 2>/dev/null || true
			done
			[ -n "$found" ] || return 0
			sleep 0.3
		done
	done
}

# Remove a place.  A test may have taken rights away from its own files.
remove() {
	chmod -R u+rwX "$1" 2>/dev/null || true
	rm -rf "$1" || echo "could not remove all of $1"
}
