# A PostgreSQL server of a test's own.
#
#   use TestServer;
#   my $s = TestServer->new(conf => "wal_level = logical\n");
#   $s->start;
#   $s->sql('CREATE EXTENSION changemgmt');
#   my ($rc, $out, $err) = $s->psql('SELECT 1/0');
#   $s->kill9; $s->start;
#
# Programs are those of $ENV{PG_CONFIG} (else pg_config), which must have the
# extension installed.  A test that root runs becomes user postgres.  Servers
# listen on a socket in their own directory only; END stops them and removes
# everything, also after die.
package TestServer;

use strict;
use warnings;

use File::Path qw(remove_tree);
use File::Temp;
use POSIX      ();

my %servers;
my $owner_pid = $$;
my $number = 0;
our ($bindir, $pg_config);

sub import
{
	# initdb refuses root
	if ($> == 0)
	{
		my (undef, undef, $uid, $gid) = getpwnam('postgres');
		($uid, $gid) = (getpwnam('nobody'))[ 2, 3 ] if !defined $uid;
		$) = "$gid $gid";
		POSIX::setgid($gid);
		POSIX::setuid($uid);
		die "cannot become another user than root\n" if $> == 0;
		$ENV{HOME} = '/';
	}
	delete $ENV{$_} for grep { /^PG(?!_CONFIG)/ } keys %ENV;
	$pg_config = $ENV{PG_CONFIG} || 'pg_config';
	chomp($bindir = `$pg_config --bindir`);
	die "PG_CONFIG does not work\n" if $? || !$bindir;
	$ENV{PATH} = "$bindir:$ENV{PATH}";
	$ENV{LC_ALL} = 'C.UTF-8';
	$SIG{INT} = $SIG{TERM} = $SIG{HUP} = sub { exit 130 };
	return;
}

# new(conf => text): initdb; init => 0 leaves the data directory absent, for
# clone_from().
sub new
{
	my ($class, %opt) = @_;
	my $tmp = $ENV{TMPDIR} || '/tmp';
	# a socket's path has to be short
	$tmp = '/tmp' if length($tmp) > 70;
	my $dir = File::Temp::tempdir('pgt-XXXXXX', DIR => $tmp);
	my $self = bless {
		dir  => $dir,
		data => "$dir/data",
		log  => "$dir/log",
		name => $opt{name} || 'server' . ++$number,
	}, $class;
	$servers{$dir} = $self;
	if (!exists $opt{init} || $opt{init})
	{
		$self->run_ok('initdb', '-D', $self->{data}, '-U', 'postgres',
			'-A', 'trust', '-E', 'UTF8', '--locale=C.UTF-8', '--no-sync',
			@{ $opt{initdb} || [] });
		$self->conf("listen_addresses = ''\n"
			  . "unix_socket_directories = '$dir'\n"
			  . "fsync = off\n"
			  . "max_connections = 40\n"
			  . "max_wal_senders = 8\n"
			  . "log_line_prefix = '%p '\n"
			  . ($opt{conf} || ''));
	}
	return $self;
}

sub dir  { return $_[0]{dir} }
sub data { return $_[0]{data} }
sub host { return $_[0]{dir} }
sub port { return 5432 }

sub connstr
{
	my ($self, $db) = @_;
	$db ||= 'postgres';
	return "host=$self->{dir} port=5432 user=postgres dbname=$db";
}

# Adds lines to postgresql.conf.
sub conf
{
	my ($self, $text) = @_;
	open my $fh, '>>', "$self->{data}/postgresql.conf" or die "conf: $!";
	print $fh $text;
	close $fh or die "conf: $!";
	return;
}

# The server's log since the position given (default: all).
sub log_text
{
	my ($self, $from) = @_;
	return substr(slurp($self->{log}), $from || 0);
}

sub start
{
	my ($self) = @_;
	my ($rc) = $self->run('pg_ctl', '-D', $self->{data}, '-l', $self->{log},
		'-w', '-t', '120', 'start');
	die "$self->{name} does not start:\n" . $self->log_text if $rc;
	$self->{killed} = 0;
	return;
}

# stop('fast' | 'smart' | 'immediate')
sub stop
{
	my ($self, $mode) = @_;
	$self->run_ok('pg_ctl', '-D', $self->{data}, '-m', $mode || 'fast',
		'-w', '-t', '120', 'stop');
	return;
}

sub restart
{
	my ($self, $mode) = @_;
	$self->stop($mode);
	$self->start;
	return;
}

sub reload
{
	my ($self) = @_;
	$self->run_ok('pg_ctl', '-D', $self->{data}, 'reload');
	return;
}

# A standby becomes a primary.
sub promote
{
	my ($self) = @_;
	$self->run_ok('pg_ctl', '-D', $self->{data}, '-w', 'promote');
	return;
}

sub postmaster_pid
{
	my ($self) = @_;
	my $file = "$self->{data}/postmaster.pid";
	return if !-e $file;
	my ($pid) = slurp($file) =~ /^(\d+)/ or return;
	# a file left by a killed server may name anybody's process
	my $cwd = readlink "/proc/$pid/cwd";
	return if !defined $cwd || $cwd ne $self->{data};
	return $pid;
}

# The processes of this server, which all sit in its data directory.
sub pids
{
	my ($self) = @_;
	return grep {
		my $cwd = readlink "/proc/$_/cwd";
		defined $cwd && $cwd eq $self->{data}
	} map { m{/(\d+)$} } glob '/proc/[0-9]*';
}

# A crash: all processes at once, without a word.
sub kill9
{
	my ($self) = @_;
	my $pid = $self->postmaster_pid;
	kill 'KILL', $pid if $pid;
	for (1 .. 200)
	{
		my @pids = $self->pids or last;
		kill 'KILL', @pids;
		select undef, undef, undef, 0.05;
	}
	# Where nobody reaps orphans the postmaster stays as a zombie, and the next
	# start would take it for alive.
	unlink "$self->{data}/postmaster.pid", "$self->{dir}/.s.PGSQL.5432.lock";
	$self->{killed} = 1;
	return;
}

# For good.  Killed, a postmaster would leave its shared memory to the machine,
# so it is asked first, and a server that was killed is started for that.
sub end
{
	my ($self) = @_;
	$self->run('pg_ctl', '-D', $self->{data}, '-l', $self->{log}, '-w', '-t', '60', 'start')
	  if $self->{killed};
	$self->run('pg_ctl', '-D', $self->{data}, '-m', 'immediate', '-w', '-t', '30', 'stop')
	  if $self->postmaster_pid;
	$self->kill9;
	return;
}

# psql(SQL, db => 'postgres', user => 'postgres', args => [...], app => NAME)
# returns (exit status, output, errors); the first error ends it, unless
# on_error_stop => 0.
sub psql
{
	my ($self, $sql, %opt) = @_;
	my $file = $self->tempname;
	spew($file, $sql);
	my @result = $self->run($self->psql_command(%opt), '-f', $file);
	unlink $file;
	return @result;
}

sub psql_command
{
	my ($self, %opt) = @_;
	my $stop = exists $opt{on_error_stop} ? $opt{on_error_stop} : 1;
	return ('psql', '-X', '-q', '-A', '-t', '-P', 'pager=off',
		'-v', "ON_ERROR_STOP=$stop", '-v', 'VERBOSITY=' . ($opt{verbosity} || 'verbose'),
		'-h', $self->host, '-p', $self->port, '-U', $opt{user} || 'postgres',
		'-d', $opt{db} || 'postgres', @{ $opt{args} || [] });
}

# The output of SQL that has to succeed, without the last newline.
sub sql
{
	my ($self, $sql, %opt) = @_;
	my ($rc, $out, $err) = $self->psql($sql, %opt);
	die "$self->{name}: $sql\n$err" if $rc;
	chomp $out;
	return $out;
}

# The SQLSTATE with which SQL fails, '' if it does not.
sub sqlstate
{
	my ($self, $sql, %opt) = @_;
	my ($rc, undef, $err) = $self->psql($sql, %opt, verbosity => 'sqlstate');
	return '' if !$rc;
	return $err =~ /(?:ERROR|FATAL):\s+(\w{5})\b/ ? $1 : "?: $err";
}

# A session in the background: its standard input stays open, so that
# $session->send('...;') goes on; $session->finish returns (status, output,
# errors).
sub session
{
	my ($self, %opt) = @_;
	my ($out, $err) = ($self->tempname, $self->tempname);
	pipe(my $read, my $write) or die "pipe: $!";
	my $pid = fork // die "fork: $!";
	if (!$pid)
	{
		close $write;
		redirect($out, $err, $read);
		exec($self->psql_command(%opt)) or POSIX::_exit(127);
	}
	close $read;
	my $old = select $write;
	$| = 1;
	select $old;
	return bless { pid => $pid, in => $write, out => $out, err => $err },
	  'TestServer::Session';
}

# Waits until the query's only value is $wanted (default 't').
sub wait_for
{
	my ($self, $sql, $wanted, %opt) = @_;
	$wanted = 't' if !defined $wanted;
	my ($rc, $out, $err);
	for (1 .. 3000)
	{
		($rc, $out, $err) = $self->psql($sql, %opt);
		chomp $out;
		return 1 if !$rc && $out eq $wanted;
		select undef, undef, undef, 0.1;
	}
	die "$self->{name}: waited in vain for '$wanted' of $sql: '$out' $err";
}

# Waits until the log says so, from a position on.
sub wait_for_log
{
	my ($self, $pattern, $from) = @_;
	for (1 .. 3000)
	{
		return if $self->log_text($from) =~ $pattern;
		select undef, undef, undef, 0.1;
	}
	die "$self->{name}: waited in vain for $pattern in the log\n";
}

# Waits until a standby or subscription of that application_name has all.
sub wait_for_catchup
{
	my ($self, $name) = @_;
	my $lsn = $self->sql('SELECT pg_current_wal_lsn()');
	return $self->wait_for(
		"SELECT coalesce(bool_or(replay_lsn >= '$lsn'), false)"
		  . " FROM pg_stat_replication WHERE application_name = '$name'");
}

# A physical copy of a running server; standby => 1 makes it follow.
sub clone_from
{
	my ($class, $from, %opt) = @_;
	my $self = $class->new(%opt, init => 0);
	$self->run_ok('pg_basebackup', '-D', $self->{data}, '-h', $from->host,
		'-p', $from->port, '-U', 'postgres', '-c', 'fast', '-X', 'stream',
		'--no-sync');
	$self->conf("unix_socket_directories = '$self->{dir}'\n" . ($opt{conf} || ''));
	if ($opt{standby})
	{
		$self->conf("primary_conninfo = '" . $from->connstr
			  . " application_name=$self->{name}'\n");
		spew("$self->{data}/standby.signal", '');
	}
	return $self;
}

# dump(DATABASE, args...): the file or directory of a pg_dump; restore(FILE, DATABASE) reads
# it back, with psql or pg_restore as the file demands.
sub dump
{
	my ($self, $db, @args) = @_;
	my $file = $self->tempname;
	$self->run_ok('pg_dump', '-h', $self->host, '-p', $self->port,
		'-U', 'postgres', '-f', $file, @args, $db);
	return $file;
}

sub restore
{
	my ($self, $file, $db, @args) = @_;
	if (-d $file || slurp($file, 5) eq 'PGDMP')
	{
		$self->run_ok('pg_restore', '-h', $self->host, '-p', $self->port,
			'-U', 'postgres', '-d', $db, '--exit-on-error', @args, $file);
	}
	else
	{
		$self->run_ok($self->psql_command(db => $db), @args, '-f', $file);
	}
	return;
}

sub createdb
{
	my ($self, $db, @args) = @_;
	$self->run_ok('createdb', '-h', $self->host, '-p', $self->port,
		'-U', 'postgres', @args, $db);
	return;
}

# The environment that lets any client program find this server.
sub env
{
	my ($self) = @_;
	return (PGHOST => $self->host, PGPORT => $self->port,
		PGUSER => 'postgres', PGDATABASE => 'postgres');
}

# Runs a program and returns (exit status, output, errors).
sub run
{
	my ($self, @command) = @_;
	my ($out, $err) = ($self->tempname, $self->tempname);
	my $pid = fork // die "fork: $!";
	if (!$pid)
	{
		open my $null, '<', '/dev/null' or POSIX::_exit(127);
		redirect($out, $err, $null);
		chdir '/';
		exec(@command) or POSIX::_exit(127);
	}
	waitpid $pid, 0;
	my $rc = $? & 127 ? 128 + ($? & 127) : $? >> 8;
	my @text = (slurp($out), slurp($err));
	unlink $out, $err;
	return ($rc, @text);
}

sub run_ok
{
	my ($self, @command) = @_;
	my ($rc, $out, $err) = $self->run(@command);
	die "@command\nfailed ($rc):\n$out$err" if $rc;
	return $out;
}

my $files = 0;

sub tempname
{
	my ($self) = @_;
	return "$self->{dir}/tmp." . ++$files;
}

sub redirect
{
	my ($out, $err, $in) = @_;
	untie *STDOUT;
	open STDIN, '<&', $in or POSIX::_exit(127);
	open STDOUT, '>', $out or POSIX::_exit(127);
	open STDERR, '>', $err or POSIX::_exit(127);
	return;
}

sub slurp
{
	my ($file, $length) = @_;
	open my $fh, '<', $file or return '';
	my $text = '';
	read $fh, $text, $length || -s $fh || 0;
	return $text;
}

sub spew
{
	my ($file, $text) = @_;
	open my $fh, '>', $file or die "$file: $!";
	print $fh $text;
	close $fh or die "$file: $!";
	return;
}

END
{
	my $status = $?;
	if ($$ == $owner_pid)
	{
		for my $self (values %servers)
		{
			$self->end if -d $self->{data};
			remove_tree($self->{dir});
		}
	}
	$? = $status;
}

package TestServer::Session;

sub send
{
	my ($self, $sql) = @_;
	local $SIG{PIPE} = 'IGNORE';
	print { $self->{in} } "$sql\n";
	return;
}

# Waits until what was sent so far has been answered.
sub sync
{
	my ($self) = @_;
	my $mark = 'done ' . ++$self->{marks};
	$self->send("\\echo $mark");
	for (1 .. 6000)
	{
		return if TestServer::slurp($self->{out}) =~ /^\Q$mark\E$/m;
		die "session ended:\n" . TestServer::slurp($self->{err})
		  if waitpid($self->{pid}, POSIX::WNOHANG()) > 0;
		select undef, undef, undef, 0.05;
	}
	die "a session does not answer\n";
}

# Ends what statement_timeout was set to.  A RESET may be cut off as well.
sub reset_timeout
{
	my ($self) = @_;
	for my $try (1 .. 100)
	{
		$self->send("RESET statement_timeout;\nSELECT 'no timeout ' || $try FROM pg_settings"
			  . " WHERE name = 'statement_timeout' AND setting = '0';");
		$self->sync;
		return if $self->output =~ /^no timeout $try$/m;
	}
	die "statement_timeout cannot be reset\n";
}

sub output { return TestServer::slurp($_[0]{out}) }
sub errors { return TestServer::slurp($_[0]{err}) }

sub finish
{
	my ($self) = @_;
	close $self->{in};
	waitpid $self->{pid}, 0;
	my $rc = $? >> 8;
	return ($rc, $self->output, $self->errors);
}

1;
