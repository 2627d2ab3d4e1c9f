#!/bin/bash
# The report of a run: its page in a browser, the records of its exits as the runner takes them from outside, and all of them read
# back by other programs, compared with what awk makes of the log.
. "$(dirname "$0")/../lib/tap.sh"

[ -f /usr/share/javascript/dygraphs/dygraph.min.js ] || skip_all 'there is no libjs-dygraphs'

number() { sed -n "s/.*\"$2\":\([0-9]*\).*/\1/p" <<<"$1"; }      # number LINE KEY
total() { number "$(grep '^{"tally":"end"' "$1")" "$2"; }        # total LOG exits|cycles
report() { "$top/tools/report-page" -s "$B/guest.debug" -o "$scratch/$1" "$scratch/$1.log"; }
run() { # run NAME ARGUMENT...
    boot --guest test --log "$scratch/$1.log" "${@:2}"
    tr -d '\r' <"$scratch/$1.log" >"$scratch/log" && mv "$scratch/log" "$scratch/$1.log"
    mkdir -p "$scratch/$1"
}

cpus=1
! "$top/tools/bochs-rom" 2 >/dev/null 2>&1 || cpus=2
run all --cpus $cpus --kernel "$B/guest.elf only=cpuid,msr,io,smp" --options 'exits=kvm sites=on trace=8 sample=1 stats=json,percpu'
is "$status" 0 'a run with a trace ends as ever'
all=$scratch/all.log exits=$(total "$scratch/all.log" exits)
"$B/trace-export" text "$scratch/all.trace" >"$scratch/text"
"$B/trace-export" keys "$scratch/all.trace" >"$scratch/keys"

# What is in no site (exits that another CPU was in the middle of, or left VMX operation by) is in no record.
records=$(wc -l <"$scratch/text")
is "$records" "$((exits - $(sed -n 's/^{"other":.*"count":\([0-9]*\).*/\1/p' "$all" | awk '{ n += $1 } END { print n + 0 }')))" 'as many records as exits'
is "$(sort -s -n -k 1,1 "$scratch/text" | cmp - "$scratch/text" 2>&1)" '' 'in the order of time'
# sites - 'reason detail address mode count cycles' of the records, and of the report
is "$(awk -F '\t' 'NR == FNR { key[$1] = $3 " " $4 " " $2 " " $5; next } { n[key[$4]]++; c[key[$4]] += $3 }
        END { for (k in n) print k, n[k], c[k] }' "$scratch/keys" "$scratch/text" | sort)" \
    "$(awk '
        function value(key) { match($0, "\"" key "\":\"?[^,\"}]*"); v = substr($0, RSTART + length(key) + 3, RLENGTH - length(key) - 3); sub(/^"/, "", v); return v }
        /^\{"reason":/ { name[value("reason")] = value("name") }
        /^\{"site":/ {
            rip = substr(value("rip"), 3)
            k = name[value("reason")] " " value("detail") " " substr("0000000000000000", 1, 16 - length(rip)) rip " " value("mode")
            n[k] += value("count"); c[k] += value("cycles")
        }
        END { for (k in n) print k, n[k], c[k] }' "$all" | sort)" 'the records are those of the sites, to the tick'

report all
ok $? 'a page is made'
html=$scratch/all/report.html
is "$(($(stat -c %s "$html") < 3000000))" 1 'under 3 MB'
unlike '(src|href)="?(https?:)?//|@import|url\((https?:)?//' 'nothing from the network' "$html"
like 'Permission is hereby granted' 'with the licence of what draws the time line' "$html"

# 0x0 is a detail where reasons have numbers for details, and none where they have nothing.
printf '%s\t0x0\tf\t0\t0x1\t64/0\t%d\t90\t9\t9\n' RDTSC 9 CPUID 4 >"$scratch/sites"
"$top/tools/sites-page" first "$scratch/sites" >"$console"
like '^\*\*69.2 % of the exits are RDTSC in `f`\*\*: 9 of 13' 'a reason without a detail'
"$top/tools/sites-page" tables "$scratch/sites" >"$console"
like '\| CPUID \| 0x0 \| f ' 'a leaf that is 0'

# What lies between two marks, by the records and the log's own marks
"$top/tools/phases" -s "$B/guest.debug" "$all" >"$scratch/phases" 2>"$errors"
is "$? $(cat "$errors")" '0 ' 'tools/phases'
is "$(awk -F '\t' '{ n += $8; c += $9 } END { print n, c }' "$scratch/phases")" "$records $(awk '{ c += $3 } END { print c }' "$scratch/text")" \
    'every record is in one phase, with its ticks'
half=$(sed -n "$((records / 2))p" "$scratch/text" | cut -f 1)
{ echo "$half two words"; echo "$((half + 1000)) nothing"; echo "$((half + 1000)) rest"; } >"$scratch/marks"
"$top/tools/phases" -m "$scratch/marks" -s "$B/guest.debug" "$all" >"$scratch/phases"
is "$(awk -F '\t' '{ n[$2] += $8 } END { print n["(start)"], n["two words"], n["nothing"], n["rest"] }' "$scratch/phases")" \
    "$(awk -v h="$half" '{ n[$1 < h ? 0 : $1 < h + 1000 ? 1 : 2]++ } END { print n[0], n[1] + 0, 0, n[2] }' "$scratch/text")" 'marks of a file: a record belongs to the last at or before it'
is "$(cut -f 1 "$scratch/phases" | uniq | paste -sd ' ')" '0 1 2 3' 'one without exits is there, too'
phases_fails() { # NAME TEXT ARGUMENT...
    "$top/tools/phases" "${@:3}" >"$console" 2>"$errors"
    is "$?" 2 "phases: $1"
    like "$2" 'which is said' "$errors"
}
echo "$((half - 1)) late" >>"$scratch/marks"
phases_fails 'marks that do not rise' 'marks:4: .* late: no time and name, or before the line above' -m "$scratch/marks" "$all"
cp "$all" "$scratch/alone.log"
phases_fails 'no trace' 'no records beside .*alone.log: trace=MIB' "$scratch/alone.log"

# Common Trace Format
if command -v babeltrace2 >/dev/null; then
    babeltrace2 "$scratch/all/ctf" >"$scratch/events" 2>"$errors"
    is "$(wc -l <"$scratch/events")" "$records" 'babeltrace2 reads as many records'
    is "$(cat "$errors")" '' 'without a complaint'
    is "$(sed -n 's/.*reason = ( "\([A-Z_0-9]*\)".*/\1/p' "$scratch/events" | sort | uniq -c)" \
        "$(awk -F '\t' 'NR == FNR { name[$1] = $3; next } { print name[$4] }' "$scratch/keys" "$scratch/text" | sort | uniq -c)" 'with their reasons'
    is "$(sed -n 's/.*cpu_id = \([0-9]*\).* vcpu = \([0-9]*\).*/\1 \2/p' "$scratch/events" | awk '$1 != $2' | wc -l)" 0 'each vCPU in a stream of its own'
else
    skip 'there is no babeltrace2' 'babeltrace2 reads the records'
fi

# Perfetto
if command -v jq >/dev/null; then
    chrome=$scratch/all/chrome.json
    is "$(jq '[.traceEvents[] | select(.ph == "X")] | length' "$chrome")" "$records" 'chrome.json has a slice for each record'
    is "$(jq '[.traceEvents[] | select(.ph == "X") | .tid] | unique | length' "$chrome")" "$(cut -f 2 "$scratch/text" | sort -u | wc -l)" 'one track a vCPU'
    is "$(jq '[.traceEvents[] | select(.ph == "X")] | group_by(.tid) | map(sort_by(.ts) | [., .[1:]] | transpose | map(select(.[1] != null and .[0].ts + .[0].dur > .[1].ts + 0.001)) | length) | add' "$chrome")" \
        0 'no slice begins before the one before has ended'
else
    skip 'there is no jq' 'chrome.json parses'
fi

# Pictures and folded lines
if command -v gnuplot >/dev/null; then
    "$top/tools/report" -s "$B/guest.debug" -o "$scratch/whole" "$all" >"$console" 2>"$errors"
    is "$? $(cat "$errors")" '0 ' 'make report'
    folded=$scratch/whole/folded
    is "$(grep -cvE '^[A-Z_0-9]+;[^;]+;[^;]+ [0-9]+$' "$folded-exits.txt" "$folded-cycles.txt" | cut -d : -f 2 | sort -u)" 0 'folded lines are reason;detail;function number'
    is "$(awk '{ n += $NF } END { print n }' "$folded-exits.txt")" "$exits" 'they sum up to the exits'
    is "$(awk '{ n += $NF } END { printf "%d\n", n }' "$folded-cycles.txt")" "$(total "$all" cycles)" 'and to the ticks'
    like "^$exits exits in " 'report.md says so, too' "$scratch/whole/report.md"
    "$top/tools/report" -o "$scratch/alone" "$scratch/alone.log" >"$console" 2>"$errors"
    is "$?" 0 'a log that was kept without its .run file'
    is "$(sed "s|$scratch/||g; s|$B/||" "$errors")" 'functions: there is no alone.run, which says what kernel the log is of: taken for guest.elf. Keep it beside the log, or name the functions: SYMBOLS=, -s' \
        'is said to be taken for ours, once'
    is "$(grep -c . "$scratch/alone/folded-exits.txt")" "$(grep -c . "$folded-exits.txt")" 'with its functions'
    printf '%s\n' '{"tally":"begin","version":"1","vcpus":1,"profile":"kvm","cpu":"A","tsc_khz":1,"tsc":9}' \
        '{"reason":10,"name":"CPUID","count":15,"cycles":97,"min":1,"max":9}' \
        '{"reason":12,"name":"HLT","count":1,"cycles":1503,"min":1,"max":9}' '{"tally":"end","exits":16,"cycles":1600}' >"$scratch/halves.log"
    "$top/tools/report" -o "$scratch/halves" "$scratch/halves.log" >"$console" 2>&1
    like '^\| 10 \| CPUID \| 15 \| 93\.8 \| 97 \| 6\.1 \|' 'rounded as the console has it' "$scratch/halves/report.md"
    like '^\| 12 \| HLT \| 1 \| 6\.3 \| 1503 \| 93\.9 \|' 'halves, too' "$scratch/halves/report.md"
    # Samples at marks alone: what lies between two is spread, where the interval asked for is as long; else it came soon.
    printf '%s\n' '{"tally":"begin","version":"1","vcpus":1,"profile":"kvm","cpu":"A","tsc_khz":1000,"tsc":9000000}' \
        '{"sample":0,"tsc":1000000,"more":{"10":5}}' '{"mark":"a","tsc":1000000}' '{"sample":1,"tsc":9000000,"more":{"10":8}}' \
        '{"reason":10,"name":"CPUID","count":13,"cycles":1300,"min":100,"max":100}' '{"tally":"end","exits":13,"cycles":1300}' >"$scratch/marks.log"
    for asked in 60000 1000; do
        awk -v who=report -v dir="$scratch" -v asked=$asked -v colours="$top/tools/page/colours" -f "$top/tools/log.awk" -f "$top/tools/report.awk" "$scratch/marks.log"
        paste -sd ' ' "$scratch/rates"
    done >"$console"
    is "$(tr '\t' ' ' <"$console")" $'0.000000 5.0 1.000000 1.0 9.000000 0.0\n0.000000 5.0 1.000000 8.0 2.000000 0.0 9.000000 0.0' 'rates know the interval asked for'
else
    skip 'there is no gnuplot' 'make report'
fi

# A ring, and no sites.
run ring --kernel "$B/guest.elf only=cpuid,msr,io,string_io,control_registers" --options 'exits=kvm trace=1,last sample=1 stats=json'
report ring
made=$(total "$scratch/ring.log" exits)
phases_fails 'a trace with a hole' 'the trace lacks [0-9]+ exits' "$scratch/ring.log"
line=$(grep '^{"trace":' "$scratch/ring.log")
kept=$(number "$line" records) lost=$(number "$line" lost)
is "$((kept + lost)) $((lost > 0))" "$made 1" 'a ring that has been round'
"$B/trace-export" text "$scratch/ring.trace" >"$scratch/text-ring"
is "$(wc -l <"$scratch/text-ring")" "$kept" 'its records'
is "$(sort -s -n -k 1,1 "$scratch/text-ring" | cmp - "$scratch/text-ring" 2>&1)" '' 'turned round'
is "$(tail -n 1 "$scratch/text-ring" | cut -f 4 | xargs -I{} awk -F '\t' '$1 == {} { print $4 }' <("$B/trace-export" keys "$scratch/ring.trace"))" \
    'out 4 0xf4' 'the last is that which ended the run'
if command -v babeltrace2 >/dev/null; then
    is "$(babeltrace2 "$scratch/ring/ctf" 2>"$errors" | wc -l)" "$kept" 'babeltrace2 reads it'
    like "discarded $lost events" 'and says how many are lost' "$errors"
fi

"$B/trace-export" text "$scratch/all.log" >"$console" 2>"$errors"
is "$?" 2 'what is no trace is refused'
head -c 1000 "$scratch/all.trace" >"$scratch/cut.trace"
"$B/trace-export" keys "$scratch/cut.trace" >"$console" 2>"$errors"
is "$?" 2 'a cut one, too'
like 'cut.trace is cut' 'which is said' "$errors"

# A run of more than 2^31 ticks
sed 's/^\({"sample":.*"tsc":\)\([0-9]*\),/\15000\2000,/; s/^\({"reason":30,.*"cycles":\)[0-9]*/\17000000001/' "$scratch/ring.log" >"$scratch/long.log"
mkdir -p "$scratch/long"
report long
like '^\[5000[0-9]*000(,[0-9]*)*\],?$' 'times beyond 2^31 are whole on the page' "$scratch/long/report.html"
like '"IO_INSTRUCTION",[0-9]*,7000000001,' 'so are ticks' "$scratch/long/report.html"

# A browser
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)
[ -n "$browser" ] || { skip 'there is no chromium' 'the page in a browser'; done_testing; exit; }

# browse NAME FROM TO - goes through the page with tests/lib/page.js; what it saw is in $console, what the browser complained of in $errors
browse() {
    sed "s|<body>|<body data-from=\"$2\" data-to=\"$3\">|; s|^</body>|<script>|" "$scratch/$1/report.html" | sed '/^<\/html>$/d' >"$scratch/$1/tested.html"
    { cat "$tests/lib/page.js"; echo '</script></body></html>'; } >>"$scratch/$1/tested.html"
    timeout 300 "$browser" --headless=new --no-sandbox --disable-gpu --window-size=1280,800 --user-data-dir="$scratch/browser" --virtual-time-budget=60000 \
        --host-resolver-rules='MAP * ~NOTFOUND' --enable-logging=stderr --dump-dom "file://$scratch/$1/tested.html" >"$scratch/dom" 2>"$scratch/browser.err"
    grep -o '<p class="noted">[^<]*' "$scratch/dom" | sed 's/^[^>]*>//; s/&amp;/\&/g' >"$console"
    grep -a CONSOLE "$scratch/browser.err" >"$errors"
    is "$(cat "$errors")" '' "$1: the browser has nothing to complain of"
    like '^end: reached$' "$1: the reader comes to the end"
    like '^exits fall: true$' "$1: the table is sorted"
    like '^ticks fall: true$' "$1: sorts by ticks"
    like '^ticks rise: true$' "$1: and the other way"
}

# row EXITS TICKS - the table's columns of what awk is fed with: ticks, a line a record; of EXITS and TICKS in all
row() {
    sort -n | awk -v exits="$1" -v ticks="$2" '
        function rank(p) { r = int(timed * p / 100); return value[(r < timed * p / 100 ? r + 1 : r)] }
        { n++; sum += $1; if ($1) value[++timed] = $1 }
        END { printf "%d %.1f %d %.1f %d %d %d %d %d %d\n", n, 100 * n / exits, sum, 100 * sum / ticks, int(sum / n + 0.5), value[1], rank(50), rank(95), rank(99), value[timed] }'
}
span() { awk -v from="$2" -v to="$3" '$1 >= from && $1 < to' "$scratch/$1"; }     # span TEXT FROM TO

khz=$(number "$(grep '^{"tally":"begin"' "$all")" tsc_khz)
last=$(tail -n 1 "$scratch/text" | cut -f 1)
from=$((last / 4)) to=$((last * 3 / 4))
as_seconds() { awk -v t="$1" -v khz="$khz" 'BEGIN { printf "%.9f", t / khz / 1000 }'; }
browse all "$(as_seconds $from)" "$(as_seconds $to)"
like "^all: $exits 100\.0 $(total "$all" cycles) 100\.0 " 'the whole run'
like '^all again: '"$exits " 'and again after a span'
like '^table fits: true$' 'and keeps clear of what is beside it'
like '^details: true$' 'an open reason shows its details'
like '^icicle of: [A-Z_]+, ticks$' 'the icicle follows'
like '^source: This span: exact' 'a span is counted from the records'
in_span=$(span text $from $to | cut -f 3)
figures="$(wc -l <<<"$in_span") $(awk '{ n += $1 } END { print n }' <<<"$in_span")"
like "^span all: $(row $figures <<<"$in_span")\$" 'all of a span, as awk has it'
# named NAME PATH - the ticks of the records of a span that have that reason, detail and function
named() {
    "$top/tools/functions" -s "$B/guest.debug" "$all" < <(awk -F '\t' -v OFS='\t' '{ print $2, $5, $1, $3, $4 }' "$scratch/keys") |
        awk -F '\t' -v path="$1" 'NR == FNR { name[$5] = $6 "|" $7 "|" $1; next } index(name[$4] "|", path "|") == 1 { print $3 }' - <(span text $from $to)
}
first=$(sed -n 's/^span first: \([A-Z_0-9]*\) .*/\1/p' "$console")
like "^span first: $first $(named "$first" | row $figures)\$" 'a reason in a span, percentiles too'
leaf=$(sed -n 's/^function: \(.*\) [0-9][0-9.]* [0-9.]* [0-9]* [0-9.]* .*/\1/p' "$console" | awk '{ sub(/( [0-9.–]+)+$/, ""); print }')
is "$(sed -n 's/^span function: //p' "$console")" "$leaf $(named "$leaf" | row $figures)" 'a function in a span'

# From samples alone, without the records.
cp "$scratch/ring.log" "$scratch/samples.log"
mkdir -p "$scratch/samples"
report samples
khz=$(number "$(grep '^{"tally":"begin"' "$scratch/samples.log")" tsc_khz)
times=$(sed -n 's/^{"sample":.*"tsc":\([0-9]*\).*/\1/p' "$scratch/samples.log")
from=$(sed -n 5p <<<"$times") to=$(sed -n 40p <<<"$times")
browse samples "$(as_seconds $((from + 1)))" "$(as_seconds $((to - 1)))"
like '^source: This span, from the samples around it' 'a span is counted from the samples'
between() { sed -n 's/^{"sample":.*"tsc":\([0-9]*\),"more":{\(.*\)}}/\1 \2/p' "$scratch/samples.log" |
    awk -v from="$1" -v to="$2" '$1 > from && $1 <= to { m = split($2, pair, ","); for (i = 1; i <= m; i++) { sub(/.*:/, "", pair[i]); n += pair[i] } } END { print n + 0 }'; }
like "^span all: $(between "$from" "$to") 100\.0 – " 'as many exits as awk counts in the samples'
done_testing
