# Boots Linux under Tally in Bochs, types into its shell, and checks what the leaves and the report say.
package LinuxGuest;
use strict;
use warnings;
use Exporter 'import';
use File::Temp 'tempdir';
use Test::More;
our @EXPORT = qw(need_linux disk_image no_cpus boot_linux run_linux check_leaves odd_leaves check_report check_messages odd_messages check_complaints outputs);

my %undefined = map { $_ => 1 } 35, 38, 42, 71, 82, 83, 86 .. 90;

# need_linux() - the test is skipped where Debian's kernel cannot be had
sub need_linux {
    my $why = `tools/linux-image 2>&1 >/dev/null`;
    plan skip_all => (split /\n/, $why)[-1] if $? >> 8 == 77;
    die $why if $?;
}

# disk_image(KIND, WORDS) - the image of a disk by tests/lib/disk-image; the test is skipped where Debian's packages
# cannot be had
sub disk_image {
    my ($kind, $words) = @_;
    my $disk = tempdir(CLEANUP => 1) . "/$kind";
    my $why = `tests/lib/disk-image $kind $disk '$words' 2>&1 >/dev/null`;
    plan skip_all => (split /\n/, $why)[-1] if $? >> 8 == 77;
    die $why if $?;
    return $disk;
}

# no_cpus(N) - why there are not so many here: the last line of tools/bochs-rom; or false
sub no_cpus {
    my ($cpus) = @_;
    my $why = `tools/bochs-rom $cpus 2>&1 >/dev/null`;
    return $? >> 8 == 77 ? (split /\n/, $why)[-1] : '';
}

# boot_linux(options => TALLY'S, cpus => N, append => KERNEL'S, native => 1, disk => IMAGE, firmware => NAME,
# run => [LINE, ...], end => LINE) types the lines and powers off; of an image the kernel's words are its own. Returns the exit status and the console's text.
sub boot_linux {
    my %o = (@_);
    my $dir = tempdir(CLEANUP => 1);
    open my $script, '>', "$dir/script" or die;
    print $script "$_\n" for @{$o{run}}, $o{end} // 'poweroff';
    close $script;
    return run("tests/lib/console -b 900 -t 900 -o $dir/log " . command(%o) . " --interactive <$dir/script", $dir, %o);
}

# run_linux(the same without run) waits until the machine ends by itself.
sub run_linux {
    my %o = (@_);
    my $dir = tempdir(CLEANUP => 1);
    return run(command(%o) . " >$dir/log", $dir, %o);
}

sub command {
    my %o = (cpus => 1, @_);
    my $how = $o{native} ? '--native' : "--options '$o{options}'";
    my $guest = $o{disk} ? "disk --disk '$o{disk}' --firmware " . ($o{firmware} // 'bios') : 'linux';
    return "tools/run --platform bochs --guest $guest --cpus $o{cpus} --timeout 900 $how";
}

sub run {
    my ($command, $dir, %o) = @_;
    local $ENV{APPEND} = $o{append} // '';
    my $status = system("$command 2>$dir/errors") >> 8;
    my $log = slurp("$dir/log");
    $log =~ s/\r//g;
    if ($status && !$o{native}) {
        my @lines = split /\n/, $log;
        diag $_ for "status $status", split(/\n/, slurp("$dir/errors")), @lines[-(@lines < 15 ? @lines : 15) .. -1];
    }
    return ($status, $log);
}

sub slurp {
    my ($name) = @_;
    local $/;
    open my $file, '<', $name or return '';
    return <$file> // '';
}

# outputs(LOG) - for each typed line what it printed, in order
sub outputs {
    my ($log) = @_;
    my (undef, @parts) = split /^.*?(?:root\@tally# |user\@tally\$ )/m, $log;
    s/^[^\n]*\n// for @parts;
    return @parts;
}

# check_leaves(TEXT) - the answers of Debian's cpuid, as the script /tally/leaves asks for them
sub check_leaves {
    my ($text) = @_;
    my (@total, @cycles, %count, %cost);
    my ($bad, $sum, $cost_sum) = (0, 0, 0);
    while ($text =~ /0x4fffff(\w\w) 0x(\w+): eax=0x(\w+) ebx=0x(\w+) ecx=0x(\w+) edx=0x(\w+)/g) {
        my ($leaf, $n, $eax, $ebx, $ecx, $edx) = (lc $1, map { hex } $2, $3, $4, $5, $6);
        my $wide = $ebx * 2**32 + $ecx;
        if ($leaf eq 'ff') {
            push @total, $eax;
            $bad++ if $ebx || $ecx || $edx;
        } elsif ($leaf eq 'fe') {
            push @cycles, $wide;
            $bad++ if $eax || $edx;
        } elsif ($undefined{$n}) {
            $bad++ if $eax || $ebx || $ecx || $edx != 0xFFFFFFFF;
            $count{$n} = 0 if $leaf eq 'fd';
        } elsif ($leaf eq 'fd') {
            $bad++ if $ebx || $ecx || $edx;
            $sum += $count{$n} = $eax;
        } elsif ($leaf eq 'fc') {
            $bad++ if $eax || $edx;
            $cost_sum += $cost{$n} = $wide;
        }
    }
    is(scalar(keys %count), 91, 'cpuid answered for 0 to 90');
    is($bad, 0, 'each register as the contract says');
    is(scalar(@total), 2, 'the totals were read before and after');
    cmp_ok($total[0], '<', $total[1], 'the count grows');
    cmp_ok($cycles[0], '<', $cycles[1], 'the cycles grow');
    # Each reason was read between the two totals, and counters never fall.
    cmp_ok($sum, '>=', $total[0], 'the sum over the reasons is not below the first total');
    cmp_ok($sum, '<=', $total[1], '... nor above the last');
    cmp_ok($cost_sum, '>=', $cycles[0], 'the sum of the cycles is not below the first total');
    cmp_ok($cost_sum, '<=', $cycles[1], '... nor above the last');
    cmp_ok($count{10}, '>', 1000, 'CPUID exits were counted');
    return %count;
}

# odd_leaves(LOG) - what is wrong between the leaves, as /tally/leaves has read them once, and the report of the same run
sub odd_leaves {
    my ($log) = @_;
    my ($first) = map { hex } $log =~ /0x4fffffff 0x00: eax=0x(\w+)/ or return 'nothing answered';
    my %seen = map { hex } $log =~ /0x4ffffffd 0x(\w+): eax=0x(\w+)/g;
    my %told = $log =~ /^\{"reason":(\d+),.*?"count":(\d+)/mg;
    my ($sum, @odd) = (0);
    push @odd, keys(%seen) . ' reasons' if keys %seen != 91;
    for my $reason (sort { $a <=> $b } keys %seen) {
        $sum += $seen{$reason};
        push @odd, "reason $reason: $seen{$reason}" if $seen{$reason} > ($told{$reason} // 0);
    }
    push @odd, "$sum in all after $first" if $sum < $first || !$first;
    return join ', ', @odd;
}

# check_report(LOG, COUNTS) - the JSON report at the end, and that it is not below what was read inside
sub check_report {
    my ($log, %seen) = @_;
    my ($begin) = $log =~ /^(\{"tally":"begin".*)$/m;
    my ($exits, $cycles) = $log =~ /^\{"tally":"end","exits":(\d+),"cycles":(\d+)\}$/m;
    ok($begin, 'the report begins');
    ok(defined $exits, 'the report ends') or return;
    my ($count_sum, $cycle_sum, $below) = (0, 0, 0);
    while ($log =~ /^\{"reason":(\d+),"name":"\w+","count":(\d+),"cycles":(\d+),"min":(\d+),"max":(\d+)\}$/mg) {
        $count_sum += $2;
        $cycle_sum += $3;
        $below++ if exists $seen{$1} && $2 < $seen{$1};
    }
    is($count_sum, $exits, 'counts add up to the total');
    is($cycle_sum, $cycles, 'cycles add up to the total');
    is($below, 0, 'no count is below what the guest read');
    my @times = $log =~ /^\{"(?:sample|mark)":.*?"tsc":(\d+)/mg;
    cmp_ok(scalar(@times), '>', 5, 'the time line has samples');
    is_deeply(\@times, [sort { $a <=> $b } @times], 'in order of time');
    return $exits;
}

# How the kernel's messages may differ from those of a bare boot, and why.
my @explained = (
    [qr/^(Kernel c|C)ommand line: /, "GRUB's linux command puts BOOT_IMAGE= before it"],
    [qr/^BIOS-e820: |^reserve setup_data: |^ *node +0: |^On node 0, zone|^Built 1 zonelists|^Memory: |^PM: hibernation: Registered nosave|^e820: reserve RAM/,
        "Tally's own memory is reserved"],
    [qr/^RAMDISK: |^NODE_DATA/, 'the initrd lies elsewhere, and so does what follows from it'],
    [qr/^efi: .*MEMATTR=|^efi: Freeing EFI boot services memory: /, "the firmware's own memory lies around Tally's, and the loader's that it came by is still there"],
    [qr/^tsc: Detected|^sched_clock: Marking|^node 0 deferred pages|^random: crng|BogoMIPS|^hpet|clocksource: |setting system clock|^PM: RTC time|: quirk_\S+ took /,
        'a measured time'],
    [qr/TSC.deadline/i, 'with a hypervisor Linux trusts the timer whatever the microcode'],
    [qr/^process: using mwait/, 'MONITOR and MWAIT are hidden, so that idling is seen'],
    [qr/^SRBDS: |^microcode: Current revision/, 'Linux leaves the microcode alone under a hypervisor'],
    [qr/^Performance Events: |perfctr msr/, 'the performance counters are hidden'],
    [qr/^(RSP|R[A-D0-9]X?[0-9]?|RBP|FS|CS|CR2): /, 'registers at a complaint, which bare makes, too'],
    [qr/^(\.\.\.|x86: Booting SMP|smpboot: |Disabled fast string)/, 'the start of other CPUs, line by line'],
    [qr/^Topology: leaf 0xb:2 Unknown domain type 3$/, "what newer kernels say of Bochs 3.0's CPUID with several CPUs, bare, too"],
);

# check_complaints(MESSAGES) - an output of dmesg has none, but for what Ubuntu's 6.8 says bare, too, of the emulator's topology
sub check_complaints {
    my ($messages) = @_;
    my @complaints = grep { !/UBSAN: shift-out-of-bounds in .*\/kernel\/apic\/|cpu_smt_set_num_threads/ }
        grep { /WARNING:|BUG:|UBSAN:|Oops|unchecked MSR|general protection|lockup|INFO: / } split /\n/, $messages;
    is_deeply(\@complaints, [], 'the kernel has nothing to complain about');
}

# odd_messages(BARE, UNDER TALLY, ROW...) - the lines in which two outputs of dmesg differ though nothing explains it; ROWs
# explain more
sub odd_messages {
    my ($bare, $tally) = map { {map { s/^\[[^\]]*\] //r => 1 } split /\n/} } splice @_, 0, 2;
    my @rows = (@explained, @_);
    my @odd;
    for my $line (sort(grep { !$bare->{$_} } keys %$tally), sort(grep { !$tally->{$_} } keys %$bare)) {
        push @odd, ($bare->{$line} ? 'missing: ' : 'new: ') . $line unless grep { $line =~ $_->[0] } @rows;
    }
    return join("\n", @odd);
}

# check_messages(the same) - there are none
sub check_messages {
    is(odd_messages(@_), '', "the kernel's messages differ from bare only where that is explained");
}

1;
