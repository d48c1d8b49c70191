#compdef prfarm prfarm-coordinator prfarm-worker prfarm-relay
# SPDX-License-Identifier: Apache-2.0
# zsh completion for prfarm and its daemons: the program itself says what can stand where (docs/manual/completion.md).
_prfarm() {
    local line tab=$'\t'
    local -a candidates
    for line in ${(f)"$($words[1] --complete "${(@)words[2,CURRENT]}" 2>/dev/null)"}; do
        case $line in
        :folder) [[ $PREFIX == --*=* ]] && compset -P '*='; _files -/ ;;
        :file) [[ $PREFIX == --*=* ]] && compset -P '*='; _files ;;
        :file\ *) [[ $PREFIX == --*=* ]] && compset -P '*='; _files -g "*${line#:file }" ;;
        *$tab*) candidates+=("${${line%%$tab*}//:/\\:}:${line#*$tab}") ;;
        *) candidates+=("${line//:/\\:}") ;;
        esac
    done
    (( ! $#candidates )) || _describe prfarm candidates
}
if [[ $funcstack[1] == _prfarm ]]; then # compinit found this file, and calls it to complete
    _prfarm "$@"
else # it was sourced
    compdef _prfarm prfarm prfarm-coordinator prfarm-worker prfarm-relay
fi
