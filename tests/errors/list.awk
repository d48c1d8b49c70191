# SPDX-License-Identifier: Apache-2.0
# list.awk - finds the calls that make an error's text. It reads C as far as that needs: comments, literals, brackets and commas;
# what is between the brackets of a call is told apart by its commas. The first pass takes in the macros that are texts.
#
# A function that takes an error's text has its line in `calls`; one that takes a format and has none is listed with the status
# UNKNOWN, which the check refuses.
BEGIN {
    # name, the argument that is the status or level (0: there is none), the one that is the text
    calls = "prf_fail 2 3,prf_fail_sys 2 3,prf_fail_prefix 2 3,prf_fail_remedy 2 3,prf_log 1 2,prf_notify 1 2," \
            "prf_yaml_fail 3 4,prf_yaml_fail_key 3 4,prf_yaml_fail_prefix 3 4,prf_node_fail 0 4," \
            "prf_http_refuse 2 3,prf_http_refuse_as 3 4,sessions_refuse 3 4,refuse 3 4,broken 3 4,deny 0 3,fn 2 4,answer 0 5," \
            "prf_engine_fail 0 3,kind_fail 0 2,lose_session 0 2,breach 0 2,corrupt 0 2,garbage 0 3,damage 0 4,tell 0 2," \
            "prf_onednn_fail 2 3,fprintf 1 2,snprintf 1 3,prf_doctor_add 3 4"
    # take a format, and make no error of it
    others = "prf_text_add,prf_events_add,prf_table_cell,prf_screen_line,cell,note,assume,prf_sysfile_read,prf_sysfile_number"
    for (n = split(calls, line_of, ","); n > 0; n--) {
        split(line_of[n], f, " ")
        status_at[f[1]] = f[2]
        text_at[f[1]] = f[3]
    }
    for (n = split(others, line_of, ","); n > 0; n--)
        harmless[line_of[n]] = 1
}
FNR == 1 { depth = top = comment = directive = 0; before = "" }

# Macros that stand for a text.
pass == 1 {
    if (match($0, /^#define [A-Z_0-9]+ "([^"\\]|\\.)*"/)) {
        split($0, f, " ")
        text = substr($0, index($0, "\""), RSTART + RLENGTH - index($0, "\""))
        macro[f[2]] = substr(text, 2, length(text) - 2)
    }
    next
}

function say(at, name, status, text, rest) { printf "%s:%d\t%s\t%s\t%s\t%s\n", FILENAME, at, name, status, text, rest }

function add(what) { if (top) raw[top, arg[top]] = raw[top, arg[top]] what }

# A literal, or what stands for one. Literals side by side are one.
function literal(text) {
    if (!top)
        return
    if (joined[top])
        lit[top, arg[top]] = lit[top, arg[top]] text
    else
        lit[top, arg[top]] = lit[top, arg[top]] (lit[top, arg[top]] == "" ? "" : " | ") text
    joined[top] = 1
    add("\"" text "\"")
}

function ends(   name, status, text, rest, i) {
    name = call[top]
    status = status_at[name] ? raw[top, status_at[name]] : "-"
    text = lit[top, text_at[name]]
    for (i = text_at[name] + 1; i <= arg[top]; i++)
        rest = rest (rest == "" ? "" : ", ") raw[top, i]
    if (name == "prf_fail_sys")
        status = "errno"
    if (text == "" && raw[top, text_at[name]] != "")
        text = "<" raw[top, text_at[name]] ">"
    if (wanted(name, status, text))
        say(line_at[top], name, status, text, rest)
    for (i = 0; i <= arg[top]; i++)
        delete lit[top, i]
    for (i = 0; i <= arg[top]; i++)
        delete raw[top, i]
    top--
}

function wanted(name, status, text) {
    if (name == "prf_notify") # what systemctl status shows
        return 0
    if (name == "prf_log")
        return status !~ /^PRF_LOG_(INFO|DEBUG)$/
    if (name == "fprintf")
        return status == "stderr"
    if (name == "snprintf")
        return status ~ /(^|[.>])(error|note|why)$/ && text !~ /^%[.*0-9]*s$/ && text !~ /^</
    return name ~ /^prf_(fail|yaml|node)/ || text !~ /^(<|$)/
}

{
    line = $0
    if (directive || (!comment && line ~ /^[ \t]*#/)) {
        directive = line ~ /\\$/
        next
    }
    if (line ~ /PRF_PRINTF\(/) {
        text = line
        gsub(/PRF_PRINTF\([0-9, ]*\)/, "", text)
        if (!match(text, /[A-Za-z_]+\(/)) {
            text = line_before
            match(text, /[A-Za-z_]+\(/)
        }
        name = substr(text, RSTART, RLENGTH - 1)
        if (!(name in text_at) && !(name in harmless))
            say(FNR, name, "UNKNOWN", "it takes a format and has no line in tests/errors/list.awk", "")
    }
    line_before = line
    while (line != "") {
        if (comment) {
            if (!(p = index(line, "*/")))
                break
            line = substr(line, p + 2)
            comment = 0
        } else if (match(line, /^[ \t]+/)) {
            line = substr(line, RLENGTH + 1)
        } else if (substr(line, 1, 2) == "/*") {
            comment = 1
            line = substr(line, 3)
        } else if (substr(line, 1, 2) == "//") {
            break
        } else if (match(line, /^"([^"\\]|\\.)*"/)) {
            literal(substr(line, 2, RLENGTH - 2))
            line = substr(line, RLENGTH + 1)
        } else if (match(line, /^'([^'\\]|\\.)*'/)) {
            add(substr(line, 1, RLENGTH))
            joined[top] = 0
            line = substr(line, RLENGTH + 1)
        } else if (match(line, /^[A-Za-z_0-9]+/)) {
            word = substr(line, 1, RLENGTH)
            line = substr(line, RLENGTH + 1)
            if (substr(line, 1, 1) == "(" && word in text_at && before ~ /^(return|else)?$/) {
                add(word "()")
                call[++top] = word
                line_at[top] = FNR
                arg[top] = 1
                level[top] = ++depth
                joined[top] = 0
                line = substr(line, 2)
                before = ""
                continue
            }
            if (word ~ /^PRI[a-z0-9]+$/) { # a conversion
                literal(substr(word, 4, 1))
            } else if (word in macro && top) {
                literal(macro[word])
            } else if (joined[top] && word ~ /^[A-Z][A-Z_0-9]+$/) {
                literal("<" word ">")
            } else {
                add(word)
                joined[top] = 0
            }
            before = word
        } else {
            c = substr(line, 1, 1)
            line = substr(line, 2)
            before = c == "*" ? "*" : ""
            if (c == "(")
                depth++
            if (c == ")" && top && depth == level[top]) {
                ends()
                depth--
                continue
            }
            if (c == ")")
                depth--
            if (c == "," && top && depth == level[top]) {
                arg[top]++
                joined[top] = 0
                continue
            }
            add(c)
            joined[top] = 0
        }
    }
}
