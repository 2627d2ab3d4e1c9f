# 'reasons N sites N' of a report in JSON lines, and a line for each reason whose sites and 'other' differ from its counter.
function number(key) { return match($0, "\"" key "\":[0-9]+") ? substr($0, RSTART + length(key) + 3, RLENGTH - length(key) - 3) + 0 : 0 }
/^\{"reason":/ { r = number("reason"); count[r] = number("count"); cycles[r] = number("cycles"); reasons++ }
/^\{"site":/ { r = number("reason"); sites++ }
/^\{"other":/ { r = number("other") }
/^\{"(site|other)":/ { found[r] += number("count"); spent[r] += number("cycles") }
END {
    print "reasons", reasons + 0, "sites", sites + 0
    for (r in count) if (count[r] != found[r] || cycles[r] != spent[r]) print "reason", r, count[r] - found[r], cycles[r] - spent[r]
}
