#!/usr/bin/perl
# The system on a disk under Tally, which goes under by BIOS: Debian's GRUB in the MBR starts Debian's kernel, which
# comes up as it does bare. DISK_PROFILES names more profiles than kvm (make test-long).
use strict;
use warnings;
use Digest::MD5;
use LinuxGuest;
use Test::More;

my $disk = disk_image('mbr', 'io_delay=0x80');   # Ubuntu's kernel would take port 0xED

# Bare the machine has the disk alone; a kernel with the drivers finds the CD, too.
my $cd = [qr/^ata1(\.00)?: |^cdrom: |^scsi 0:0:0:0: CD-ROM|^sr 0:0:0:0: |^sd 1:0:0:0: Attached scsi generic/, 'Tally came from a CD'];

sub digest {
    open my $file, '<:raw', $disk or die;
    return Digest::MD5->new->addfile($file)->hexdigest;
}
my $untouched = digest();

# ranges(DMESG, TYPE) - of the BIOS's map, as [begin, end]
sub ranges {
    my ($dmesg, $type) = @_;
    return map { [map { hex } /mem 0x(\w+)-0x(\w+)/] } grep { / $type$/ } $dmesg =~ /BIOS-e820: \[(.*)$/mg;
}

# total(RANGES) - how many bytes
sub total { my $sum = 0; $sum += $_->[1] - $_->[0] + 1 for @_; return $sum; }

my (undef, $bare) = boot_linux(native => 1, disk => $disk, run => ['dmesg']);
my ($bare_messages) = outputs($bare);
like($bare_messages, qr/^\[.*Linux version/m, 'the disk boots bare');

for my $profile (split ' ', $ENV{DISK_PROFILES} // 'kvm') {
    subtest "exits=$profile" => sub {
        my ($status, $log) = boot_linux(
            options => "exits=$profile stats=table,json sample=50 marks=port80",
            disk    => $disk,
            run     => ['leaves; cpuid -1 -l 0x4fffffff; cpuid -1 -l 0x4ffffffe', 'dmesg', 'echo written >/dev/sda; sync']
        );
        is($status, 0, 'power-off ends the run with status 0');
        my @out = outputs($log);
        is(scalar(@out), 4, 'the shell answered each line') or return;
        my %count = check_leaves($out[0]);
        check_complaints($out[1]);
        check_messages($bare_messages, $out[1], $cd);
        my ($line) = $out[1] =~ /(Kernel command line: .*)/;
        like($bare_messages, qr/\Q$line\E/, "the kernel's command line is the disk's");
        my $gone = total(ranges($bare_messages, 'usable')) - total(ranges($out[1], 'usable'));
        cmp_ok($gone, '>=', 2 << 20, "Tally's memory is no RAM in the BIOS's map") or return;
        is(total(ranges($out[1], 'reserved')) - total(ranges($bare_messages, 'reserved')), $gone, '... but reserved');
        check_report($log, %count);
        my @marks = $log =~ /^\{"mark":"([^"]*)"/mg;
        is_deeply([grep { !/^port80 |^init$/ } @marks], ['boot sector', 'kernel', 'user space'], 'marks that nobody asked for');
        cmp_ok(scalar(grep { /^port80 [0-9a-f]{2}$/ } @marks), '>', 1, '... and those of port 0x80');
        like($log, qr/^tally: the guest asked for: power-off$/m, 'the report comes at power-off');
    };
}

is(digest(), $untouched, 'the image is as it was');
done_testing;
