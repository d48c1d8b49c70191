# SPDX-License-Identifier: Apache-2.0
# alike.awk - does what came out (second file) agree with what the document says (first file)? A line "..." of the document stands
# for any number of lines: what is before the first must begin the output, what is behind the last must end it, and the pieces
# between are looked for in order.
FILENAME == ARGV[1] { if ($0 == "...") gaps[++gap] = wanted + 1; want[++wanted] = $0; next }
{ got[++gotten] = $0 }
function found_at(begin, end, at,    i) {
    for (i = begin; i <= end; i++)
        if (want[i] != got[at + i - begin]) return 0
    return at + end - begin <= gotten
}
END {
    if (!gap) exit !(wanted == gotten && found_at(1, wanted, 1))
    if (!found_at(1, gaps[1] - 1, 1)) exit 1
    at = gaps[1]
    for (g = 1; g < gap; g++) {
        while (at <= gotten && !found_at(gaps[g] + 1, gaps[g + 1] - 1, at)) at++
        if (at > gotten) exit 1
        at += gaps[g + 1] - gaps[g] - 1
    }
    tail = wanted - gaps[gap]
    exit !(gotten - tail + 1 >= at && found_at(gaps[gap] + 1, wanted, gotten - tail + 1))
}
