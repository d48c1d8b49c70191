# SPDX-License-Identifier: Apache-2.0
# fish completion for prfarm and its daemons: the program itself says what can stand where (docs/manual/completion.md).
function __prfarm_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    for line in ($words[1] --complete $words[2..] "$current" 2>/dev/null)
        switch $line
            case :folder
                __fish_complete_directories "$current"
            case :file
                __fish_complete_path "$current"
            case ':file *'
                __fish_complete_suffix "$current" (string replace ':file ' '' -- $line)
            case '*'
                echo $line
        end
    end
end
for program in prfarm prfarm-coordinator prfarm-worker prfarm-relay
    complete -c $program -f -a '(__prfarm_complete)'
end
