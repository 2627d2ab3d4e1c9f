# A formatter for prove whose last line is 'N passed, N failed[, N skipped]'.
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
    printf "%d passed, %d failed%s\n", $aggregate->passed - $skipped, $failed,
        $skipped ? ", $skipped skipped" : '';
    exit 1 if $failed;
}

1;
