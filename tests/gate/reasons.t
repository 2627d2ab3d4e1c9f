#!/bin/bash
# The gate: after all other tests, no exit reason that the SDM defines may be without one. Only in a whole run.
. "$(dirname "$0")/../lib/tap.sh"
[ -n "${REASONS:-}" ] || skip_all 'only the whole run of tests sees all reasons'

"$top/tools/reasons" "$REASONS" >"$B/exit-reasons.md"
ok $? 'every exit reason is tested'
sed 's/^/# /' "$B/exit-reasons.md"
live=$(sed -n 's/^reasons: .* \([0-9]*\) live.*/\1/p' "$B/exit-reasons.md")
[ "${live:-0}" -ge 56 ]
ok $? 'at least 56 of them live'
done_testing
