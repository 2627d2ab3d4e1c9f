#!/usr/bin/perl
# tally, the program in the guest: the same counts by the window and by CPUID; sites with functions, trace, a record; top and
# its keys. On two CPUs, where there is a ROM for them.
use strict;
use warnings;
use LinuxGuest;
use Test::More;

need_linux();

my $cpus = no_cpus(2) ? 1 : 2;
my ($status, $log) = boot_linux(
    cpus    => $cpus,
    options => 'exits=kvm sites=4096 trace=1,last sample=50 stats=json',
    run     => [
        'tally stat; echo "status $?"',
        q(su user -c 'tally stat'; echo "status $?"),
        'tally sites -n 5; echo "status $?"',
        'tally sites -n 0 /bin/false; echo "status $?"',
        'tally trace -n 4; echo "status $?"',
        'tally record -o /tmp/r /bin/true; echo "status $?"',
        q(awk -F '[:,}]' '/^.."reason/ || /^."reason/ { n += $6; c += $8 } /"tally":"end"/ { print "sum", n - $4, c - $6 }' /tmp/r),
        'tally stat true; tally top -n 2 -i 0.2; echo "status $?"',
        'tally frob; echo "status $?"; tally sites -n x; echo "status $?"; tally mark "a b"; echo "status $?"',
        'tally mark here; echo "status $?"',
        'stty cols 80 rows 24; tally top -i 60; echo "status $?"; read -r x\rsdddvvvppq',
        'stty cols 40 rows 12; tally top -n 2 -i 60; echo "status $?"; stty cols 80 rows 24; read -r x\rdd',
        'tally stat; echo "status $?"',
    ]
);
is($status, 0, 'power-off ends the run');
my @out = outputs($log);
is(scalar(@out), 14, 'the shell answered each line') or diag($log);

# rows(TEXT) - counts of a table by reason
sub rows { my %n; $n{$2} = $3 while $_[0] =~ /^tally: +(\d+) ([A-Z_]+) +(\d+) /mg; return \%n }
my ($window, $leaves) = (rows($out[0]), rows($out[1]));
like($out[0], qr/^tally: exits since the start \(by the window, without exits\)$/m, 'root reads the window');
like($out[1], qr/^tally: exits since the start \(by CPUID: \/dev\/mem: Permission denied\)$/m, 'a user reads the leaves');
is($window->{XSETBV}, $leaves->{XSETBV}, 'by either the same count');
ok($window->{XSETBV} > 0, 'which is one');
my ($console) = $out[0] =~ /COM1, ports 3f8 to 3ff +(\d+) /;
my ($rest) = $out[0] =~ /sum without COM1 +(\d+) /;
my ($sum) = $out[0] =~ /^tally: +sum +(\d+) /m;
ok($console > 100, 'the console has a row of its own');
is($console + $rest, $sum, 'and the rest is without it');
like($out[2], qr/^  (?:IO_INSTRUCTION|RDMSR) .* [a-z_]+\+0x[0-9a-f]+ +64\/0 .*^  and \d+ more sites.*^status 0$/ms, 'sites have functions');
like($out[3], qr/^  CPUID .* user\+0x.*^status 1$/ms, 'those of a command, with its status');
is(() = $out[4] =~ /^ +\d+ +[01] [A-Z_]+ /mg, 4, 'the trace has the newest exits');
like($out[4], qr/^  \d+ records, \d+ lost$/m, '... and says how many there are');
like($out[5], qr/^tally: \/tmp\/r has what.*^status 0$/ms, 'a record is written');
like($out[6], qr/^sum 0 0$/m, '... whose reasons add up');
like($out[7], qr/exits in 0\.\d+ s of 'true'.*exits of the last .* COM1, 3f8 to 3ff.*^status 0$/ms, 'a command; top');
like($out[8], qr/unknown word frob.*^status 2\n.*not a number: x.*^status 2\n.*a mark is 1 to 16.*^status 2$/ms, 'errors name what is wrong');
like($out[9], qr/^status 0$/m, 'a mark is set');
like($log, qr/^\{"mark":"here",/m, '... and in the report');

# On this machine, where there is no Tally: a bare boot's time is compared with that of one under it.
my $tally = join '/', $ENV{B} // 'build', qw(linux root usr bin tally);
like(`$tally mark -t here 2>&1`, qr/^tsc [1-9]\d*$/m, 'mark -t tells the TSC without Tally, too');

# One screen a key, and one more at the end: by cycles, details, sites, reasons; vCPU 0, vCPU 1, all; after the pause; q.
my @screens = split /tally: exits/, $out[10];
shift @screens;
is(scalar(@screens), 9, 'top shows a screen for each key') or diag($out[10]);
sub cycles_of { return map { /^ +[0-9.]+ +[0-9.]+% +([0-9.]+)% +\d+  [A-Z_]+ / ? $1 : () } split /\n/, $_[0] }
my @shares = cycles_of($screens[0]);
is_deeply(\@shares, [sort { $b <=> $a } @shares], 's sorts by cycles');
like($screens[0], qr/^ +[0-9.]+ +[0-9.]+% +[0-9.]+% +\d+  [A-Z_]+ +#/m, 'with bars');
like($screens[1], qr/^ +[0-9.]+ +[0-9.]+% +\d+  IO_INSTRUCTION +out 1 0x3f8 *$/m, 'd shows the details');
like($screens[2], qr/^ +[0-9.]+ +[0-9.]+% +\d+  IO_INSTRUCTION +out 1 0x3f8 +64\/0 +io_serial_out/m, 'then the sites');
like($screens[3], qr/a second +exits +cycles +avg  reason$/m, 'then the reasons again');
my @of = map { / of CPU (\d)/ ? $1 : 'all' } @screens;
is("@of", $cpus == 2 ? 'all all all all 0 1 all all all' : 'all all all all all all all all all', 'v goes through the vCPUs');
like($out[10], qr/^status 0$/m, 'q ends it');
# wider(COLUMNS, SCREEN...) - the lines that do not fit, what top itself has printed of them
sub wider { my $columns = shift; return join "\n", grep { length >= $columns } map { split /\n/, "tally: exits$_" } map { s/^status.*//msr } @_ }
is(wider(80, @screens), '', 'no line is wider than 80 columns');
my @narrow = split /tally: exits/, $out[11];
shift @narrow;
is(scalar(@narrow), 2, 'a small screen');
is(wider(40, @narrow), '', 'no line is wider than 40 columns');
like($out[12], qr/^tally: exits since the start.*vcpus $cpus\n.*^status 0$/ms, "all of $cpus CPUs");
my ($of_console) = $out[12] =~ /COM1, ports 3f8 to 3ff +(\d+)$/m;
my ($others) = $out[12] =~ /sum without COM1 +(\d+)$/m;
my ($all) = $out[12] =~ /^tally: exits (\d+) /m;
is(($of_console // 0) + ($others // 0), $all, 'stat on 80 columns: the console and the rest');
is(join("\n", grep { length > 79 } split /\n/, $out[12] =~ s/^status.*//msr), '', '... and no line is wider');
ok(rows($out[12])->{HLT}, '... with a row for each reason');

done_testing;
