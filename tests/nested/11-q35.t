#!/bin/bash
# By GRUB from a CD on q35.
# shellcheck source=tests/nested/guest.sh
. "$(dirname "$0")/guest.sh"

# shellcheck disable=SC2086  # $lean is words
for profile in minimal kvm all; do
    by_iso "q35-$profile-1" $profile "$few" -machine q35 $lean
    by_iso "q35-$profile-2" $profile "$several" -machine q35 $lean -smp 2
done
check_jobs
done_testing
