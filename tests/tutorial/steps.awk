# SPDX-License-Identifier: Apache-2.0
# steps.awk - takes a document apart into numbered steps in the folder `dir`: N.cmd and N.want for a command and its output, N.file
# and N.name for a file, N.line, and the marks N.varies and N.fails; `count` has the number of steps. With record=1 it prints the
# document instead, with N.got in the place of the output of each step that has N.differs. What a document looks like: see `run`.
function begin_step() { step++; put("line", FNR) }
function put(what, text) { if (!record) print text >> (dir "/" step "." what) }

# The output of the command before is over. When it is recorded, one "..." goes on standing for the lines between as many at the
# beginning and at the end as were shown; several are for a person to put in again.
function end_output(    n, i, line, file, got, all) {
    if (!in_output) return
    in_output = 0
    if (!record) return
    if ((getline line < (dir "/" step ".differs")) < 0) {
        for (i = 1; i <= kept; i++) print keep[i]
        return
    }
    file = dir "/" step ".got"
    while ((getline line < file) > 0) got[++n] = line
    all = gaps != 1 || n < kept
    for (i = 1; i <= n; i++) {
        if (!all && i == gap) print "..."
        if (all || i < gap || i > n - (kept - gap)) print got[i]
    }
}
/^<!-- not run: .* -->$/ { skip = 1 }
/^<!-- varies -->$/ { varies = 1 }
/^<!-- fails -->$/ { fails = 1 }
/^```/ && !fence {
    fence = 1
    kind = "?"
    if (!skip && match($0, /title="[^"]+"/)) {
        kind = "file"
        begin_step()
        put("name", substr($0, RSTART + 7, RLENGTH - 8))
    }
}
/^```$/ && fence && kind != "?" {
    end_output()
    if (fails && kind == "commands") put("fails", "")
    fence = skip = varies = fails = 0
    kind = ""
}
fence && kind == "?" && !/^```/ { kind = !skip && /^\$ / ? "commands" : "other" }
fence && kind == "file" && !/^```.*title=/ { put("file", $0) }
fence && kind == "commands" && (/^\$ / || more) {
    if (!more) {
        end_output()
        begin_step()
        if (varies) put("varies", "")
        if (!record) printf "" > (dir "/" step ".want")
    }
    put("cmd", more ? $0 : substr($0, 3))
    more = /\\$/
    in_output = !more
    kept = gap = gaps = 0
    if (record) print
    next
}
in_output {
    keep[++kept] = $0
    if ($0 == "...") { gap = kept; gaps++ }
    put("want", $0)
    next
}
record { print }
END { if (!record) print step + 0 > (dir "/count") }
