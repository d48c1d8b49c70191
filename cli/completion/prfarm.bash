# SPDX-License-Identifier: Apache-2.0
# bash completion for prfarm and its daemons: the program itself says what can stand where (docs/manual/completion.md).
_prfarm() {
    local line words=("${COMP_WORDS[@]:1:COMP_CWORD}") current=${COMP_WORDS[COMP_CWORD]}
    [ "$current" != = ] || current=
    COMPREPLY=()
    while IFS= read -r line; do
        case $line in
        :folder) mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -d -- "$current") ;;
        :file) mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$current") ;;
        :file\ *)
            mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -X "!*${line#:file }" -- "$current"
                compgen -d -S / -- "$current")
            ;;
        *) COMPREPLY+=("${line%%$'\t'*}") ;;
        esac
        [[ $line != :* ]] || compopt -o filenames 2>/dev/null
    done < <("$1" --complete "${words[@]}" 2>/dev/null)
    [[ ${#COMPREPLY[@]} -ne 1 || ${COMPREPLY[0]} != */ ]] || compopt -o nospace 2>/dev/null
}
complete -F _prfarm prfarm prfarm-coordinator prfarm-worker prfarm-relay
