# SPDX-License-Identifier: Apache-2.0
# check.awk - prints the errors that leave their reader without a remedy, out of what list.awk found; fails when there are any.
#
# An error has a remedy when one of these holds:
#   - status.c adds it: the status is PRF_ENOMEM or PRF_EINTERNAL, or prf_fail_sys told an errno;
#   - behind a ':', ';', ',', 'and' or 'or' its text tells in the imperative what to do, as in "use 1 to 64", or it names a command;
#   - it says what would be right ("at most 64 are read", "must divide c"), or asks what to look at ("is this the right file?");
#   - it passes on an error that reads whole already: its last argument is called error, text, why, words, note, message or example;
#   - it is a part of one: prf_node_fail, corrupt, garbage and the like put it into a text that has the remedy;
#   - a log line has such an error, or says how it goes on (next="...", left_out=true);
#   - it stands in the file of exceptions, with the reason. An exception that no error needs any more is refused, too.
BEGIN {
    FS = "\t"
    verbs = "add|ask|begin|build|change|check|choose|close|compare|correct|cut|delete|divide|drop|encode|end|export|feed|fetch|filter|free|" \
            "give|hand|install|keep|leave|let|lift|list|look|lower|make|measure|mend|merge|move|name|narrow|open|print|put|raise|" \
            "read|remove|rename|repeat|restart|restore|run|save|say|see|send|set|shorten|start|stop|submit|take|tie|train|try|" \
            "update|use|wait|watch|widen|write|boot|echo|expect"
    imperative = "(^|[:;,(|] | or | and |\\? )(" verbs ")([ :,;.|]|$)"
    command = "'?(prfarm(-coordinator|-worker|-relay)? [a-z-]|chmod|chown|openssl)"
    right = "(must|needs?|takes|belongs to|has to|have to|may have|can be|at most|at least|(is|are) (allowed|read|needed|possible)|" \
            "goes on|continues|tells? (more|why))( |$|[:;,.])"
    question = "\\?(['\")]|$| )"
    whole = "(error|text|why|words|note|message|example)$|status_name\\([a-z]*\\)$|^remedies"
    logged = "(error|because|why|next|note|text|output)=|=true"
    part = "^(prf_node_fail|prf_onednn_fail|corrupt|breach|garbage|damage|tell|lose_session|.*_prefix|prf_fail_remedy)$"
}
FILENAME != "-" { # the file of exceptions
    if ($0 !~ /^#/ && NF == 3)
        exceptions[$1, $2] = FNR
    next
}
function excepted(   path, key, f) {
    path = $1
    sub(/:[0-9]+$/, "", path)
    for (key in exceptions) {
        split(key, f, SUBSEP)
        if (path == f[1] && (f[2] == "*" || index($4, f[2]) == 1)) {
            needed[key] = 1
            return 1
        }
    }
    return 0
}
# The texts among the further arguments, as of `twice ? "..." : "..."`.
function texts(rest,   all) {
    while (match(rest, /"([^"\\]|\\.)*"/)) {
        all = all " | " substr(rest, RSTART + 1, RLENGTH - 2)
        rest = substr(rest, RSTART + RLENGTH)
    }
    return all
}
function has_remedy(   all) {
    if ($2 == "prf_fail_sys" || $3 ~ /^PRF_(ENOMEM|EINTERNAL)$/ || $2 ~ part)
        return 1
    if ($2 == "prf_log")
        return $4 ~ logged || $3 ~ /\?PRF_LOG_(INFO|DEBUG):PRF_LOG_(INFO|DEBUG)$/
    if ($4 ~ /(%[.*0-9]*s|>)$/ && ($5 ~ whole || $4 ~ /(error|text|why|words|note|message)>$/))
        return 1
    all = $4 texts($5)
    return all ~ imperative || all ~ command || all ~ right || all ~ question
}
$3 == "UNKNOWN" || (!has_remedy() && !excepted()) {
    printf "%s: %s: %s\n", $1, $3, $4
    bad++
}
{ count++ }
END {
    for (key in exceptions)
        if (!(key in needed)) {
            printf "exceptions:%d: no error needs this one\n", exceptions[key]
            bad++
        }
    printf "%d errors, %d to be mended (tests/errors/check.awk tells what they lack)\n", count, bad
    exit bad > 0
}
