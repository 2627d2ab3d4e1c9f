# The records of the exits for Perfetto and chrome://tracing: a track for each vCPU, a slice for each exit, marks above them.
# tools/log.awk has read the console (the file -); then come the keys (tools/functions) and the records (trace-export text).

function quote(text) {
    gsub(/\\/, "\\\\", text); gsub(/"/, "\\\"", text); gsub(/[\001-\037]/, " ", text)
    return "\"" text "\""
}
function event(text) { printf "%s%s", separator, text; separator = ",\n" }

BEGIN { print "{\"traceEvents\":["; FS = "\t" }
FNR == 1 { file++ }
file == 2 {
    name_of[$5] = $6
    more[$5] = "\"detail\":" quote($7) ($1 == "-" ? "" : ",\"function\":" quote($1))
}
file == 3 {
    # Microseconds; a tick where its length is not known.
    per_tick = khz ? 1000 / khz : 1
    if (!($2 in seen)) {
        seen[$2] = 1
        event(sprintf("{\"ph\":\"M\",\"pid\":1,\"tid\":%.0f,\"name\":\"thread_name\",\"args\":{\"name\":\"vCPU %.0f\"}}", $2, $2))
    }
    event(sprintf("{\"ph\":\"X\",\"pid\":1,\"tid\":%.0f,\"ts\":%.5f,\"dur\":%.5f,\"name\":\"%s\",\"args\":{%s,\"ticks\":%.0f}}", \
        $2, $1 * per_tick, $3 * per_tick, name_of[$4], more[$4], $3))
}
END {
    if (failed) exit 1
    per_tick = khz ? 1000 / khz : 1
    for (m = 1; m <= marks; m++) event(sprintf("{\"ph\":\"i\",\"s\":\"g\",\"pid\":1,\"tid\":0,\"ts\":%.5f,\"name\":%s}", mark_at[m] * per_tick, quote(mark[m])))
    print "\n],\"displayTimeUnit\":\"ns\"}"
}
