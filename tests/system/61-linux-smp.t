#!/usr/bin/perl
# Linux with two CPUs under Tally; one goes and comes back.
use strict;
use warnings;
use LinuxGuest;
use Test::More;

need_linux();
my $why = no_cpus(2);
plan skip_all => $why if $why;

for my $profile (qw(kvm minimal)) {
    subtest "two CPUs, exits=$profile" => sub {
        my ($status, $log) = boot_linux(
            options => "exits=$profile stats=json sample=50",
            cpus    => 2,
            run     => [
                'nproc; leaves; cpuid -1 -l 0x4fffffff; cpuid -1 -l 0x4ffffffe',
                'cd /sys/devices/system/cpu; echo 0 >cpu1/online; nproc; echo 1 >cpu1/online; nproc',
                'taskset 2 cpuid -1 -l 0x4fffffff',
                'dmesg',
            ]
        );
        is($status, 0, 'power-off ends the run with status 0');
        my @out = outputs($log);
        is(scalar(@out), 5, 'the shell answered each line') or return;
        like($out[0], qr/^2$/m, 'two CPUs are up');
        my %count = check_leaves($out[0]);
        like($out[1], qr/^1\n2$/m, 'a CPU can be unplugged and plugged in again');
        like($out[2], qr/eax=0x0*[1-9a-f]/, 'the second CPU reads the leaves');
        check_complaints($out[3]);
        check_report($log, %count);
    };
}

done_testing;
