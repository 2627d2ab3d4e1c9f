# shellcheck shell=bash disable=SC2154  # sourced by tools/linux-page, whose variables these are
# The tables of linux-page that are made of a trace by tools/phases: what the kernel does when, and kinds of work.

# When the kernel's initcalls began and ended, in ticks since the guest's start; the mark init tells the TSC, too.
initcalls() { # AWK-PROGRAM
    tr -d '\r' <"$logs/initcalls.log" | awk -v init="$(to_init "$logs/initcalls.log")" '
        $1 == "tsc" { offset = $2 - init }
        /^initcalls: end/ { exit }
        within { print $1 - offset, $2, $3 }
        /^initcalls: begin/ { within = 1 }' | awk "$1"
}

# first FIELD VALUE - the time of the first exit of the run with initcalls whose record has it: 1 function, 4 mode
first_exit() {
    "$B/trace-export" text "$logs/initcalls.trace" | awk -F '\t' -v field="$1" -v value="$2" -v keys="$logs/initcalls.keys" '
        BEGIN { while ((getline line < keys) > 0) { split(line, f, "\t"); if (f[field] ~ value) wanted[f[5]] = 1 } }
        $4 in wanted { print $1; exit }'
}

# The phases of a boot: the kernel's levels of initcalls, and before and after them what the exits themselves tell.
story_marks() {
    {
        echo "$(first_exit 1 '^[a-z_]') kernel"
        echo "$(first_exit 1 '^native_calibrate_cpu_early') calibrate"
        initcalls '$2 == "level" { print $1, $3 }'
        echo "$(first_exit 4 '/3$') user"
        echo "$(json tsc '"mark":"initcalls"' "$logs/initcalls.log") end"
    } | sort -n
}

# What the kernel does in a phase, in words by hand; how many exits, and of what, by the trace.
table_story() {
    trace_keys "$logs/initcalls.log" "$logs/initcalls.trace" >"$logs/initcalls.keys"
    story_marks >"$logs/story.marks"
    "$top/tools/phases" -m "$logs/story.marks" "$logs/initcalls.log" >"$logs/story.tsv"
    echo '| from, s | lasts, ms | exits | what the kernel does | its exits |'
    echo '|--:|--:|--:|---|---|'
    awk -F '\t' -v khz="$(json tsc_khz '"tally":"begin"' "$logs/initcalls.log")" -f "$top/tools/detail.awk" -f "$top/tools/causes.awk" -f <(cat <<'AWK'
        BEGIN {
            words["(start)"] = "unpacks itself (LZ4)"
            words["kernel"] = "memory map, page tables; which CPU is this, which hypervisor?"
            words["calibrate"] = "how fast is the TSC? by the PIT; then the rest of `start_kernel`, interrupts off"
            words["console"] = "the screen, interrupts on, the APIC's timer"
            words["early"] = "initcalls `early`"
            words["pure"] = "initcalls `pure`"
            words["core"] = "`core`"
            words["postcore"] = "`postcore`"
            words["arch"] = "`arch`"
            words["subsys"] = "`subsys`: ACPI and PCI"
            words["fs"] = "`fs`, `rootfs`: unpacks the initrd"
            words["device"] = "`device`: drivers"
            words["late"] = "`late`"
            words["user"] = "`/init` and its programs"
        }
        $2 != "end" { note($1, $5, $6, $7, $8); name[$1] = $2; from[$1] = $3; to[$1] = $4; last = $1 }
        END { for (p = 0; p <= last; p++) if (to[p] > from[p])
            printf "| %.2f | %.0f | %.0f | %s | %s |\n", from[p] / khz / 1000, (to[p] - from[p]) / khz, sum[p], words[name[p]], causes(p, 3, 1) }
AWK
    ) "$logs/story.tsv"
}

# The initcalls with most exits of their own: without the timer's, which come in whatever runs.
table_calls() {
    initcalls '$2 == "start" { print $1, $3 } $2 == "finish" { print $1, "/" $3 }' >"$logs/calls.marks"
    "$top/tools/phases" -m "$logs/calls.marks" "$logs/initcalls.log" >"$logs/calls.tsv"
    echo '| initcall | lasts, ms | exits | of its own | of what |'
    echo '|---|--:|--:|--:|---|'
    awk -F '\t' -v khz="$(json tsc_khz '"tally":"begin"' "$logs/initcalls.log")" -v end="$(json tsc '"mark":"init"' "$logs/initcalls.log")" -f "$top/tools/detail.awk" -f "$top/tools/causes.awk" -f <(cat <<'AWK'
        function timer(reason, detail) {
            return reason ~ /^(EXTERNAL_INTERRUPT|INTERRUPT_WINDOW)$/ || (reason == "RDMSR" && detail ~ /^0xe[78]$/) || (reason == "WRMSR" && detail == "0x6e0")
        }
        $2 ~ /^[^\/(]/ && $4 <= end {
            all[$2] += $8; length_[$2] = $4 - $3
            if (!timer($5, $6)) note($2, $5, $6, $7, $8)
        }
        END { for (call in sum) if (sum[call] >= 10)
            printf "| `%s` | %.1f | %.0f | %.0f | %s |\n", call, length_[call] / khz, all[call], sum[call], causes(call, 3, 1) }
AWK
    ) "$logs/calls.tsv" | sort -t '|' -k 5,5nr
}

# work_phases PROFILE - tools/phases of the runs that work, but for what lies between the kinds of work. The network's kernel is
# another.
work_phases() {
    local log image
    for log in work network; do
        [ $log = work ] && image=cloud || image=plain
        [ "$logs/$log-$1.tsv" -nt "$logs/$log-$1.log" ] || LINUX_IMAGE=$image "$top/tools/phases" "$logs/$log-$1.log" >"$logs/$log-$1.tsv" || return
        awk -F '\t' '$2 ~ /^[a-z]/ && $2 != "init"' "$logs/$log-$1.tsv"
    done
}

# Exits a second, and the share of the time: a row a kind of work.
table_work() {
    echo '| while | seconds | minimal | kvm | all |'
    echo '|---|--:|--:|--:|--:|'
    local profile
    for profile in $profiles; do work_phases "$profile" | sed "s/^/$profile\t/"; done |
        awk -F '\t' -v khz="$(json tsc_khz '"tally":"begin"' "$logs/work-kvm.log")" '
            { if (!($3 in seen)) { seen[$3] = 1; order[++n] = $3 }
              ticks[$1, $3] = $5 - $4; exits[$1, $3] += $9; cycles[$1, $3] += $10 }
            function cell(p, w) { return sprintf("%.0f, %.2f %%", exits[p, w] * khz * 1000 / ticks[p, w], 100 * cycles[p, w] / ticks[p, w]) }
            END { for (i = 1; i <= n; i++) { w = order[i]
                printf "| %s | %.2f | %s | %s | %s |\n", w, ticks["kvm", w] / khz / 1000, cell("minimal", w), cell("kvm", w), cell("all", w) } }'
}

# What they are, a second
table_causes() { # PROFILE
    echo '| while | exits per second, by function |'
    echo '|---|---|'
    work_phases "$1" | awk -F '\t' -v khz="$(json tsc_khz '"tally":"begin"' "$logs/work-$1.log")" -f "$top/tools/detail.awk" -f "$top/tools/causes.awk" -f <(cat <<'AWK'
        { if (!($2 in seen)) { seen[$2] = 1; order[++n] = $2 }
          note($2, $5, $6, $7, $8); seconds[$2] = ($4 - $3) / khz / 1000 }
        END { for (i = 1; i <= n; i++) printf "| %s | %s |\n", order[i], causes(order[i], 4, seconds[order[i]]) }
AWK
    )
}

# What one of the hundred starts of /bin/true asks CPUID
text_start() {
    work_phases kvm | awk -F '\t' '$2 == "exec" && $5 == "CPUID" && $7 == "user" && $8 >= 100 { print int($8 / 100), $6 }' |
        sort -k 1,1nr -k 2 | awk '
            { all += $1; if ($1 > 1) many = many ", `" $2 "` " $1 " times"; else once = once ", `" $2 "`" }
            END { printf "**%d CPUIDs** a program: leaf/subleaf %s; once each %s.\n", all, substr(many, 3), substr(once, 3) }'
}
