#!/usr/bin/perl
# Linux boots under Tally to a shell; Debian's cpuid, tally-top and an unprivileged user read the leaves.
use strict;
use warnings;
use LinuxGuest;
use Test::More;

need_linux();

my (undef, $bare) = boot_linux(native => 1, run => ['dmesg']);
my ($bare_messages) = outputs($bare);

for my $profile (qw(kvm minimal)) {
    subtest "one CPU, exits=$profile" => sub {
        my ($status, $log) = boot_linux(
            options => "exits=$profile stats=table,json sample=50",
            run     => [
                'tally-mark login; echo "status $?"',
                'su - user',
                'id -u; leaves; cpuid -1 -l 0x4fffffff; cpuid -1 -l 0x4ffffffe',
                'tally-top -1; echo "status $?"',
                'tally-top -c -n 2 -i 0.2; echo "status $?"',
                'tally-top -c true; echo "status $?"',
                'tally-top -i x; echo "status $?"',
                'exit',
                'dmesg',
            ]
        );
        is($status, 0, 'power-off ends the run with status 0');
        my @out = outputs($log);
        is(scalar(@out), 10, 'the shell answered each line') or return;
        like($out[0], qr/^status 0$/m, 'a mark is set');
        like($out[2], qr/^1000$/m, 'an unprivileged user');
        my %count = check_leaves($out[2]);
        like($out[3], qr/^ *\d+ +[\d.]+ +[\d.]+% .* CPUID +#+\n(?:.*\n)* *\d+ .* sum of these *\nstatus 0$/m, 'tally-top shows a table, with bars');
        like($out[4], qr/^\d\.\d+,10,CPUID,|^\d\.\d+,\d+,\w+,\d+,[\d.]+,\d+$/m, '... CSV over time');
        like($out[5], qr/^[\d.]+,10,CPUID,\d+,.*^status 0$/ms, '... what a command costs');
        like($out[6], qr/not a number.*^status 2$/ms, '... a useful error');
        check_complaints($out[8]);
        check_messages($bare_messages, $out[8]);
        unlike($log, qr{not known to be harmless}, "... and writes no MSR that Tally's list does not know");
        check_report($log, %count);
        like($log, qr/^\{"mark":"init",.*^\{"mark":"login",/ms, 'the marks are in the time line');
    };
}

done_testing;
