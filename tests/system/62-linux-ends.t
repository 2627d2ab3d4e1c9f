#!/usr/bin/perl
# However Linux ends, the report is printed.
use strict;
use warnings;
use LinuxGuest;
use Test::More;

need_linux();

my %way = (poweroff => 'power-off', reboot => 'reset', panic => 'reset', suspend => 'suspend');
my @runs = ((map { [$_, 1] } sort keys %way), ['panic', 2], ['suspend', 2]);
for my $run (@runs) {
    my ($end, $cpus) = @$run;
    my $why = no_cpus($cpus);
    SKIP: { skip "$why ($end)", 1 if $why; }
    next if $why;
    my ($status, $log) = run_linux(options => 'exits=kvm stats=table,json', cpus => $cpus, append => "tally.run=$end");
    is($status, 0, "$end, CPUs: $cpus: status 0");
    like($log, qr/^tally: .*\b$way{$end}$/m, '... its way is named');
    like($log, qr/^\{"tally":"end","exits":\d+,/m, '... and the report printed');
    like($log, qr/Kernel panic/, '... after the panic') if $end eq 'panic';
}

# What a person types.
my %typed = (exit => 'power-off', halt => 'every CPU of the guest is halted for good');
for my $end (sort keys %typed) {
    my ($status, $log) = boot_linux(options => 'exits=kvm stats=table', run => [], end => $end);
    is($status, 0, "$end at the prompt: status 0");
    like($log, qr/^guest: 'exit', .*'tally mark NAME'/m, '... which the banner offers');
    like($log, qr/^tally: .*\b$typed{$end}$/m, '... its way is named');
    like($log, qr/^tally: *sum /m, '... and the report printed');
}

done_testing;
