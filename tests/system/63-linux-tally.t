#!/usr/bin/perl
# tally, the program in the guest: the same counts by the window and by CPUID; sites with functions, trace, a record.
use strict;
use warnings;
use LinuxGuest;
use Test::More;

need_linux();

my ($status, $log) = boot_linux(
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
    ]
);
is($status, 0, 'power-off ends the run');
my @out = outputs($log);
is(scalar(@out), 11, 'the shell answered each line') or diag($log);

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
is(() = $out[4] =~ /^ +\d+ +0 [A-Z_]+ /mg, 4, 'the trace has the newest exits');
like($out[4], qr/^  \d+ records, \d+ lost$/m, '... and says how many there are');
like($out[5], qr/^tally: \/tmp\/r has what.*^status 0$/ms, 'a record is written');
like($out[6], qr/^sum 0 0$/m, '... whose reasons add up');
like($out[7], qr/exits in 0\.\d+ s of 'true'.*exits of the last .* COM1, 3f8 to 3ff.*^status 0$/ms, 'a command; top');
like($out[8], qr/unknown word frob.*^status 2\n.*not a number: x.*^status 2\n.*a mark is 1 to 16.*^status 2$/ms, 'errors name what is wrong');
like($out[9], qr/^status 0$/m, 'a mark is set');
like($log, qr/^\{"mark":"here",/m, '... and in the report');

# On this machine, where there is no Tally: a bare boot's time is compared with that of one under it.
my $program = ($ENV{B} // 'build') . '/linux/root/usr/bin/tally';
like(`$program mark -t here 2>&1`, qr/^tsc [1-9]\d*$/m, 'mark -t tells the TSC without Tally, too');

done_testing;
