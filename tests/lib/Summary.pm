# A formatter for prove whose last line is 'N passed, N failed[, N skipped]'. Before it stands how each exit
# reason was tested, when the gate has found that out.
package Summary;
use strict;
use warnings;
use TAP::Formatter::Console;
use TAP::Formatter::File;

our @ISA = (-t STDOUT ? 'TAP::Formatter::Console' : 'TAP::Formatter::File');

sub summary {
    my ($self, $aggregate, $interrupted) = @_;
    $self->SUPER::summary($aggregate, $interrupted);

    # A program that dies, or does not run the tests it planned, is one failure more.
    my $broken = grep { $_->has_problems && !$_->failed } $aggregate->parsers;
    my $failed  = $aggregate->failed + $broken + ($interrupted ? 1 : 0);
    my $skipped = $aggregate->skipped;
    print_reasons("$ENV{B}/exit-reasons.md") if $ENV{REASONS};
    printf "%d passed, %d failed%s\n", $aggregate->passed - $skipped, $failed,
        $skipped ? ", $skipped skipped" : '';
    exit 1 if $failed;
}

# The page's table without its marks: number, name, how tested (models by number if many), times seen.
sub print_reasons {
    open my $page, '<', shift or return;
    while (<$page>) {
        if (my ($number, $name, $how, $times) = /^\| *(\d+) \| (\w+) \|.*\| ([^|]*) \| (\d*) \|$/) {
            my @models = $how =~ /live: ([^;]*)/ ? split /, /, $1 : ();
            $how =~ s/live: [^;]*/'live: ' . @models . ' models'/e if @models > 2;
            printf "%2d  %-24s %-50s %8s\n", $number, $name, $how, $times;
        }
        print if /^reasons: /;
    }
}

1;
